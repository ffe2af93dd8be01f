"""The gate: who is calling, and how often they may.

It knows how a token travels and what guests and administrators may reach; which token is whose it asks of
`TokenLookup`, and whom an application service may act as, of `Masquerade`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from flask import Request

from core.errors import Forbidden, MissingToken
from core.ids import Requester
from core.web.rate_limits import RateLimiter
from core.web.suspension import is_forbidden_while_suspended


class TokenLookup(Protocol):
    """Who owns an access token; implemented by accounts. Both calls are on the path of every request."""

    def requester_of(self, token: str) -> Requester:
        """The owner. Raises: `UnknownToken`, with `soft_logout=True` where the client may log in again and go on."""

    def seen(self, requester: Requester, ip: str, user_agent: str) -> None:
        """Note that the requester was active; must be cheap and must not write at once."""


class Masquerade(Protocol):
    """Whom an application service acts as; implemented by appservices."""

    def act_as(self, requester: Requester, user_id: str | None, device_id: str | None) -> Requester:
        """The requester that `user_id` (and `device_id`) of the query ask for. Raises: `Forbidden`, `BadRequest`.

        Spec: Application Service API, "Identity assertion".
        """


class RequestRule(Protocol):
    """What the whole server asks of those who call it, such as to accept its terms; implemented by accounts."""

    def check(self, requester: Requester, method: str, path: str) -> None:
        """Raises: `Forbidden`, with a code that says why."""


class Gate:
    """Authentication and limits for the views. One per server."""

    def __init__(
        self,
        tokens: TokenLookup,
        limits: RateLimiter,
        masquerade: Masquerade | None = None,
        rules: Iterable[RequestRule] = (),
    ) -> None:
        self._rules = tuple(rules)
        self._tokens = tokens
        self._limits = limits
        self._masquerade = masquerade

    def authenticate(self, request: Request, allow_guest: bool = False) -> Requester:
        """The caller.

        Raises: `MissingToken`, `UnknownToken`, and `Forbidden` (`M_GUEST_ACCESS_FORBIDDEN`) for guests unless
        `allow_guest`, `M_USER_SUSPENDED` for what suspended users may not do, or what a rule of the server says.
        Spec: Client-Server API, "Using access tokens", "Account suspension".
        """
        token = access_token(request)
        if token is None:
            raise MissingToken("An access token is needed: send it as 'Authorization: Bearer <token>'.")
        requester = self._tokens.requester_of(token)
        environ = request.environ
        self._tokens.seen(requester, environ.get("REMOTE_ADDR") or "", environ.get("HTTP_USER_AGENT", ""))
        if requester.appservice_id is not None and self._masquerade is not None:
            arguments = request.args
            user_id, device_id = arguments.get("user_id"), arguments.get("device_id")
            requester = self._masquerade.act_as(requester, user_id, device_id)
        if requester.is_guest and not allow_guest:
            raise Forbidden("Guests may not do this; register an account.", errcode="M_GUEST_ACCESS_FORBIDDEN")
        if requester.is_suspended and is_forbidden_while_suspended(request.method, request.path):
            raise Forbidden("This account is suspended and may not do this.", errcode="M_USER_SUSPENDED")
        for rule in self._rules:
            rule.check(requester, request.method, request.path)
        return requester

    def find_requester(self, request: Request) -> Requester | None:
        """The caller where a token was sent, guests included, else None. Raises: `UnknownToken` for a wrong one."""
        return None if access_token(request) is None else self.authenticate(request, allow_guest=True)

    def authenticate_admin(self, request: Request) -> Requester:
        """The caller, who must be a server administrator. Raises: as `authenticate`, `Forbidden`."""
        requester = self.authenticate(request)
        if not requester.is_admin:
            raise Forbidden("Only an administrator of this server may do this.")
        return requester

    def limit(self, who: Requester | str, name: str, cost: float = 1.0) -> None:
        """Count a request against limit `name`, of a user or (as a string) of an address or any other key.

        Raises: `LimitExceeded`.
        """
        self._limits.check(name, _limited_key(who), cost)

    def peek(self, who: Requester | str, name: str) -> None:
        """Raise where `limit` would, and count nothing: for limits that only failures spend, as wrong passwords."""
        self._limits.peek(name, _limited_key(who))


def access_token(request: Request) -> str | None:
    """The access token of the request, None where it has none: the header goes before the query parameter.

    `?access_token=` is deprecated since v1.11 and still in use.
    """
    environ = request.environ
    header: str | None = environ.get("HTTP_AUTHORIZATION")
    if header is not None:
        scheme, _, token = header.partition(" ")
        if scheme.lower() == "bearer" and (token := token.strip()):
            return token
    if "access_token=" in environ.get("QUERY_STRING", ""):
        return request.args.get("access_token") or None
    return None


def client_address(request: Request) -> str:
    """The client's IP address, as the listener's proxy told it where there is one; '' on a Unix socket without."""
    address: str = request.environ.get("REMOTE_ADDR") or ""
    return address


def limited_address(address: str) -> str:
    """The key under which an address is limited: an IPv6 client owns a /64, so its first four groups."""
    if ":" not in address or "." in address or address[0] == "@":
        return address
    head, gap, tail = address.partition("::")
    groups = head.split(":") if head else []
    if gap:
        behind = len(tail.split(":")) if tail else 0
        groups += ["0"] * max(0, 8 - len(groups) - behind) + tail.split(":")
    return ":".join(group or "0" for group in groups[:4]) + "::/64"


def _limited_key(who: Requester | str) -> str:
    return who.user_id if isinstance(who, Requester) else limited_address(who)
