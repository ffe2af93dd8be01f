"""Registration by users themselves: what is open, what must be shown first, and the account made at the end.

Closed by default. The name is checked before and after the interactive authentication, as the specification asks.
Spec: Client-Server API, "Legacy account registration".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from core.accounts.access_tokens import AccessTokens
from core.accounts.closed_server import ClosedServer
from core.accounts.interactive_auth import Flow, InteractiveAuth, Operation, Passed
from core.accounts.login import Origin
from core.accounts.passwords import Passwords
from core.accounts.registration import Also, NewAccount, Registration
from core.accounts.sessions import DeviceRequest, Session, Sessions
from core.accounts.usernames import InvalidUsername, UserInUse
from core.config.registration import RegistrationConfig
from core.errors import Forbidden
from core.hooks.manager import PluginManager
from core.hooks.specs import passwords as password_hooks
from core.ids import UserId, localpart_of
from core.storage.users import User, UserStore

CLOSED = "This server does not let people make accounts themselves; ask its administrator for one."
NO_GUESTS = "This server does not let guests in; please sign in."


class ShownAtRegistration(Protocol):
    """Keeps what a new user has shown on the way: addresses, consent."""

    def keep(self, stages: Mapping[str, Any]) -> Also | None:
        """What is written with the account, given what the stages remembered. Raises: MatrixError."""


class Registering:
    """Decides about requests to /register."""

    def __init__(
        self,
        config: RegistrationConfig,
        registration: Registration,
        interactive: InteractiveAuth,
        passwords: Passwords,
        users: UserStore,
        sessions: Sessions,
        tokens: AccessTokens,
        plugins: PluginManager,
        closed: ClosedServer | None = None,
        flows: Sequence[Flow] = (),
        shown: ShownAtRegistration | None = None,
    ) -> None:
        """`flows` are offered, and `shown` keeps what is shown in them; without any it is the token, or nothing.

        With `closed` nobody gets an account now, whatever the settings about registration say.
        """
        self._closed = closed
        self._config = config
        self._registration = registration
        self._interactive = interactive
        self._passwords = passwords
        self._users = users
        self._sessions = sessions
        self._tokens = tokens
        self._plugins = plugins
        default = ["m.login.registration_token" if config.registration_requires_token else "m.login.dummy"]
        self._flows: Sequence[Flow] = flows or [default]
        self._shown = shown

    @property
    def is_open(self) -> bool:
        """Whether people may make accounts, with or without conditions."""
        return self._config.enable_registration

    def flows(self) -> list[Flow]:
        """The ways to an account. Raises: `Forbidden` where there is none, as something needed is not configured."""
        found = [flow for flow in self._flows if all(self._interactive.offers(stage) for stage in flow)]
        if not found:
            raise Forbidden("Accounts cannot be made at present: what the server asks for, it cannot verify.")
        return found

    def check_available(self, username: str) -> None:
        """Spec: `GET /register/available`. Raises: `Forbidden` where registration is closed, and as `check_name`."""
        if not self.is_open:
            raise Forbidden(CLOSED)
        self._registration.check_name(username.lower(), may_exist=self._config.inhibit_user_in_use_error)

    def register_guest(self, wanted: DeviceRequest) -> tuple[User, Session]:
        """Let a guest in. Raises: `Forbidden`."""
        self._check_closed()
        if not self._config.allow_guest_access:
            raise Forbidden(NO_GUESTS, errcode="M_GUEST_ACCESS_FORBIDDEN")
        return self._registration.create_guest(wanted)

    def resumed(self, operation: Operation, auth: Any) -> Operation:
        """The operation with what its client said in earlier requests of the session that `auth` names."""
        return self._interactive.resumed(operation, auth)

    def register(
        self,
        operation: Operation,
        auth: Any,
        wanted: DeviceRequest | None,
        origin: Origin,
        spend: Callable[[], None] = lambda: None,
    ) -> tuple[User, Session | None]:
        """Make an account for whoever completes a flow; `operation.body` is what was asked for, checked.

        `spend` is called right before the account is made, and may raise `LimitExceeded`.
        Raises: `Forbidden` where registration is closed, `InvalidUsername`, `UserInUse`, `InteractiveAuthNeeded`, …
        """
        self._check_closed()
        if not self.is_open:
            raise Forbidden(CLOSED)
        body = operation.body
        guest = self._guest(body)
        name = body.get("username")
        localpart = None if name is None else name.lower()
        is_repeated = isinstance(auth, Mapping) and auth.get("session") is not None
        if localpart is not None:
            self._registration.check_name(
                localpart, is_guest=guest is not None, may_exist=guest is not None or is_repeated
            )
        if body.get("password") is not None:
            self._passwords.check_policy(body["password"])
        passed = self._interactive.authorize(operation, auth, self.flows())
        if "user_id" in passed.notes:
            return self._made_before(UserId(passed.notes["user_id"]), wanted)
        spend()
        user, session = self._make(localpart, guest, body, passed, wanted, origin)
        self._interactive.note(passed, user_id=user.user_id)
        return user, session

    def _check_closed(self) -> None:
        if self._closed is not None:
            raise self._closed.refusal()

    def _make(
        self,
        localpart: str | None,
        guest: User | None,
        body: Mapping[str, Any],
        passed: Passed,
        wanted: DeviceRequest | None,
        origin: Origin,
    ) -> tuple[User, Session | None]:
        asked = {key: value for key, value in body.items() if key != "password"}
        stages = passed.completed
        chosen = self._plugins.ask(password_hooks.username_for_registration, stages=stages, request=asked)
        displayname = self._plugins.ask(password_hooks.displayname_for_registration, stages=stages, request=asked)
        localpart = chosen or localpart or self._registration.free_localpart()
        if guest is None:
            self._registration.check_name(localpart)
        self._registration.check_allowed(localpart, _threepids(stages), origin.ip, origin.user_agent)
        password = body.get("password")
        password_hash = None if password is None else self._passwords.hash(password)
        also = None if self._shown is None else self._shown.keep(stages)
        if guest is not None:
            return guest, self._registration.upgrade_guest(guest, password_hash, wanted, also)
        token = stages.get("m.login.registration_token")
        return self._registration.create(
            NewAccount(
                localpart,
                password_hash,
                displayname,
                session=wanted,
                registration_token=None if token is None else token["token"],
            ),
            also,
        )

    def _guest(self, body: Mapping[str, Any]) -> User | None:
        """The guest who wants to become an ordinary user. Spec: "Guest Access"."""
        token = body.get("guest_access_token")
        if token is None:
            return None
        guest = self._users.find(self._tokens.requester_of(token).user_id)
        if guest is None or not guest.is_guest:
            raise Forbidden("'guest_access_token' does not belong to a guest.")
        if body.get("username") != localpart_of(guest.user_id):
            raise InvalidUsername("'username' must be the guest's own: the localpart of its user id.")
        return guest

    def _made_before(self, user_id: UserId, wanted: DeviceRequest | None) -> tuple[User, Session | None]:
        """The account that this session already made: its client did not get the answer."""
        user = self._users.find(user_id)
        if user is None or user.is_deactivated or user.is_locked:
            raise UserInUse("This user name is taken.")
        return user, None if wanted is None else self._sessions.open(user.user_nid, wanted)


def _threepids(stages: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The addresses that stages have validated: those that remembered a medium and an address."""
    return [
        (found["medium"], found["address"])
        for found in stages.values()
        if isinstance(found, Mapping) and "medium" in found and "address" in found
    ]
