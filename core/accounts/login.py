"""Login: by password, and by whatever types plugins and later parts of the server contribute.

A wrong password, an unknown account and one that has no password are answered alike, after the same work. What is told
(locked, deactivated) is told only to those who knew the password. Spec: Client-Server API, "Legacy login".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from core.accounts.closed_server import ClosedServer
from core.accounts.passwords import Passwords
from core.accounts.phone_numbers import msisdn_of
from core.accounts.registration import NewAccount, Registration
from core.accounts.sessions import DeviceRequest, Session, Sessions
from core.accounts.usernames import typed_user_id
from core.errors import BadJson, BadRequest, Forbidden, LimitExceeded, MissingParam, Unauthorized
from core.hooks.manager import PluginManager
from core.hooks.specs import contributions, observers, passwords, permissions
from core.hooks.verdicts import PasswordAccepted
from core.ids import ServerName, UserId, localpart_of, server_of
from core.storage.users import User, UserStore


class LoginLimits(Protocol):
    """The rate limits that count per account; core.web.rate_limits has them."""

    def check(self, name: str, key: str, cost: float = 1.0) -> None: ...
    def peek(self, name: str, key: str, cost: float = 1.0) -> None: ...


class ThreepidLookup(Protocol):
    """Whose address it is; implemented by the part that keeps third-party identifiers."""

    def owner_of(self, medium: str, address: str) -> UserId | None: ...


class LoginMethod(Protocol):
    """One login type."""

    @property
    def type(self) -> str: ...

    def flow(self) -> dict[str, Any]:
        """Its entry in the answer to `GET /login`."""

    def authenticate(self, body: Mapping[str, Any]) -> PasswordAccepted:
        """Who the request is from. Raises: `Forbidden` and other MatrixErrors."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request came from, for plugins that judge."""

    ip: str
    user_agent: str


class Identifiers:
    """What a client typed to say who it is. Spec: "Identifier types"."""

    def __init__(self, server_name: ServerName, threepids: ThreepidLookup | None = None) -> None:
        self._server_name = server_name
        self._threepids = threepids

    def user_id(self, body: Mapping[str, Any]) -> UserId | None:
        """The user id meant, None for an address that belongs to nobody; it need not exist.

        Raises: `MissingParam`, `BadJson`, and `BadRequest` for an identifier type that is not known.
        """
        identifier = body.get("identifier")
        if identifier is None:
            identifier = _legacy(body)
        if not isinstance(identifier, Mapping):
            raise BadJson("'identifier' must be an object.")
        kind = identifier.get("type")
        if kind == "m.id.user":
            return typed_user_id(_text(identifier, "user"), self._server_name)
        if kind == "m.id.thirdparty":
            return self._owner(_text(identifier, "medium"), _text(identifier, "address"))
        if kind == "m.id.phone":
            number = identifier.get("phone", identifier.get("number"))
            if not isinstance(number, str):
                raise MissingParam("'identifier.phone' is required and must be a string.")
            return self._owner("msisdn", msisdn_of(_text(identifier, "country"), number))
        raise BadRequest("'identifier.type' must be m.id.user, m.id.thirdparty or m.id.phone.")

    def _owner(self, medium: str, address: str) -> UserId | None:
        return None if self._threepids is None else self._threepids.owner_of(medium, address)


class PasswordLogin:
    """`m.login.password`."""

    type = "m.login.password"

    def __init__(self, identifiers: Identifiers, passwords: Passwords, limits: LoginLimits) -> None:
        self._identifiers = identifiers
        self._passwords = passwords
        self._limits = limits

    def flow(self) -> dict[str, Any]:
        """The type alone."""
        return {"type": self.type}

    def authenticate(self, body: Mapping[str, Any]) -> PasswordAccepted:
        """Who knows the password. Raises: `Forbidden`, `LimitExceeded`."""
        password = body.get("password")
        if not isinstance(password, str):
            raise MissingParam("'password' is required and must be a string.")
        user_id = self._identifiers.user_id(body)
        key = user_id or "nobody"
        self._limits.check("rc_login.account", key)
        self._limits.peek("rc_login.failed_attempts", key)
        accepted = self._passwords.check(user_id or UserId(""), password)
        if accepted is None:
            with suppress(LimitExceeded):  # others may have failed meanwhile; this one is told what is wrong
                self._limits.check("rc_login.failed_attempts", key)
            raise Forbidden("The user name or the password is wrong.")
        return accepted


class PluginLogin:
    """A login type that a plugin contributed."""

    def __init__(self, type: str, fields: Iterable[str], plugins: PluginManager) -> None:
        self.type = type
        self._fields = tuple(fields)
        self._plugins = plugins

    def flow(self) -> dict[str, Any]:
        """The type alone."""
        return {"type": self.type}

    def authenticate(self, body: Mapping[str, Any]) -> PasswordAccepted:
        """Whom the plugin recognises. Raises: `Forbidden`, `MissingParam`."""
        missing = [name for name in self._fields if name not in body]
        if missing:
            raise MissingParam(f"'{missing[0]}' is required for a login of type {self.type}.")
        identifier = body.get("identifier")
        user = identifier.get("user") if isinstance(identifier, Mapping) else body.get("user")
        fields = {name: body[name] for name in self._fields}
        answer = self._plugins.ask(
            passwords.check_login_type,
            login_type=self.type,
            user=user if isinstance(user, str) else "",
            fields=fields,
        )
        if not isinstance(answer, PasswordAccepted):
            raise Forbidden("These credentials are wrong.")
        return answer


class Login:
    """Turns credentials into sessions."""

    def __init__(
        self,
        methods: Iterable[LoginMethod],
        users: UserStore,
        sessions: Sessions,
        registration: Registration,
        plugins: PluginManager,
        server_name: ServerName,
        closed: ClosedServer | None = None,
    ) -> None:
        self._closed = closed
        self._methods = {method.type: method for method in methods}
        self._users = users
        self._sessions = sessions
        self._registration = registration
        self._plugins = plugins
        self._server_name = server_name

    def flows(self) -> list[dict[str, Any]]:
        """What clients may choose from."""
        return [method.flow() for method in self._methods.values()]

    def log_in(self, body: Mapping[str, Any], wanted: DeviceRequest, origin: Origin) -> tuple[User, Session]:
        """Open a session for whoever the body's credentials are of.

        Raises: `BadRequest` for a type that is not offered, `Forbidden` (`M_FORBIDDEN`, `M_USER_DEACTIVATED`,
        `M_RESOURCE_LIMIT_EXCEEDED`), `Unauthorized` (`M_USER_LOCKED`), `LimitExceeded`, `Unavailable`.
        """
        kind = body.get("type")
        method = self._methods.get(kind) if isinstance(kind, str) else None
        if method is None:
            offered = ", ".join(self._methods) or "none"
            raise BadRequest(f"This server does not offer this login type; it offers {offered}.")
        accepted = method.authenticate(body)
        user = self._account(accepted)
        if user.is_deactivated:
            raise Forbidden("This account has been deactivated.", errcode="M_USER_DEACTIVATED")
        if user.is_locked:
            raise Unauthorized("This account has been locked.", errcode="M_USER_LOCKED", soft_logout=True)
        if self._closed is not None and not user.is_admin:
            raise self._closed.refusal()
        self._plugins.require(
            permissions.check_login,
            user_id=user.user_id,
            login_type=method.type,
            device_id=wanted.device_id,
            ip=origin.ip,
            user_agent=origin.user_agent,
        )
        session = self._sessions.open(user.user_nid, wanted)
        self._plugins.tell(
            observers.user_logged_in, user_id=user.user_id, device_id=session.device_id, login_type=method.type
        )
        return user, session

    def _account(self, accepted: PasswordAccepted) -> User:
        """The account, made now where a plugin vouches for one that is not here yet."""
        found = self._users.find(accepted.user_id)
        if found is not None:
            return found
        if server_of(accepted.user_id) != self._server_name:
            raise Forbidden("This account belongs to another server.")
        localpart = localpart_of(accepted.user_id)
        self._registration.check_name(localpart)
        return self._registration.create(NewAccount(localpart, displayname=accepted.displayname))[0]


def contributed_logins(plugins: PluginManager) -> list[PluginLogin]:
    """The login types of all plugins. Raises: PluginError, at start."""
    found = plugins.contributions(contributions.contribute_login_types)
    return [PluginLogin(one.item.type, one.item.fields, plugins) for one in found]


def _legacy(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The identifier in the form that clients sent before there were identifiers."""
    if "medium" in body and "address" in body:
        return {"type": "m.id.thirdparty", "medium": body["medium"], "address": body["address"]}
    if "user" in body:
        return {"type": "m.id.user", "user": body["user"]}
    raise MissingParam("'identifier' is required.")


def _text(identifier: Mapping[str, Any], key: str) -> str:
    value = identifier.get(key)
    if not isinstance(value, str):
        raise MissingParam(f"'identifier.{key}' is required and must be a string.")
    return value
