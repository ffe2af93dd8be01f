"""What a plugin can reach: one facade per concern, each a Protocol that the server implements.

A plugin gets a `PluginApi` of its own when it is constructed, and may keep it. The facades work from the hook
`server_started` on; before that only `name`, `server` and `log` answer. All calls may yield to other greenlets, and
none may be made while a transaction of `tables` is open.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from logging import Logger
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

from core.events.event import Event
from core.hooks.declarations import Mail
from core.ids import EventId, Requester, RoomId, ServerName, UserId

if TYPE_CHECKING:
    from flask import Request

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What a plugin may know of the configuration."""

    server_name: ServerName
    public_baseurl: str | None


@dataclass(frozen=True, slots=True)
class Profile:
    """A user's public face; `fields` holds the custom fields of the profile."""

    displayname: str | None
    avatar_url: str | None
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What the outside world said. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class AddressRanges:
    """Addresses a plugin's requests may not go to: those in `closed`, but for those in `opened`. In CIDR form."""

    closed: tuple[str, ...]
    opened: tuple[str, ...] = ()


class HttpStream(Protocol):
    """An answer of the outside world whose body is still to be read, once. Header names are in lower case."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...

    def pieces(self, max_bytes: int) -> Iterator[bytes]:
        """The body as it arrives. Raises Unavailable where it is longer, or does not come in time."""


@dataclass(frozen=True, slots=True)
class EventContext:
    """What surrounds an event, as one user sees it: client events, nearest first, and tokens for /messages."""

    before: Sequence[Mapping[str, Any]]
    after: Sequence[Mapping[str, Any]]
    start: str
    end: str


class RoomView(Protocol):
    """The current state of one room, read when it is asked for and not before."""

    @property
    def room_id(self) -> RoomId: ...

    def state_event(self, type: str, state_key: str = "") -> Event | None:
        """The current state event under this key. Costs one cached lookup."""

    def state(self, types: Sequence[str] | None = None) -> Sequence[Event]:
        """All current state, or that of some types. Costs about the size of the answer."""

    def members(self, membership: str = "join") -> Sequence[UserId]:
        """The users with this membership now."""


class Gate(Protocol):
    """The core's authentication and limits, for a plugin's own endpoints."""

    def authenticate(self, request: Request, allow_guest: bool = False) -> Requester:
        """Who is calling. Raises MissingToken, UnknownToken, or Forbidden for a guest."""

    def find_requester(self, request: Request) -> Requester | None:
        """Who is calling where a token was sent, guests included, else None. Raises UnknownToken for a wrong one."""

    def authenticate_admin(self, request: Request) -> Requester:
        """Who is calling, if they administer the server. Raises Forbidden otherwise, and as `authenticate`."""

    def limit(self, who: Requester | str, name: str, cost: float = 1.0) -> None:
        """Count a request against the limiter called `name`, of a user or an address. Raises LimitExceeded.

        `name` is a setting such as `rc_message`; LookupError for one that does not exist.
        """


class Transaction(Protocol):
    """An open transaction on the server's database, restricted by agreement to the plugin's own tables."""

    def run(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Run one statement with `?` placeholders; returns the number of rows it changed."""

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> Sequence[tuple[Any, ...]]:
        """Run one query with `?` placeholders."""


class Tables(Protocol):
    """A plugin's own tables, as declared by `contribute_tables`."""

    @property
    def engine(self) -> str:
        """`sqlite` or `mysql` (MariaDB included)."""

    def read(self, sql: str, parameters: Sequence[Any] = ()) -> Sequence[tuple[Any, ...]]:
        """Run one query with `?` placeholders, outside any transaction."""

    def transaction(self, function: Callable[[Transaction], _Result]) -> _Result:
        """Run `function` in the writer's next transaction and return what it returned, once that is durable.

        It may be run again if another job of the group fails, so it changes nothing but the database. All other
        writes of the server wait for it. What it raises is raised here, and nothing of it is written.
        """


class Rooms(Protocol):
    """Rooms this server is in."""

    def find(self, room_id: RoomId) -> RoomView | None:
        """The room, or None if this server does not know it."""

    def rooms_of(self, user_id: UserId, membership: str = "join") -> Sequence[RoomId]:
        """The rooms a user has this membership in."""

    def is_in_any(self, user_id: UserId, rooms: Collection[RoomId]) -> bool:
        """Whether a user is joined to one of `rooms`. Cheap for users who sync: it takes no look at the database."""

    def users_sharing(self, user_id: UserId) -> Sequence[UserId]:
        """Everybody who is joined to a room that the user is joined to, the user included."""

    def servers_sharing(self, user_id: UserId) -> Sequence[ServerName]:
        """The other servers with users in a room the user is joined to."""

    def send(
        self, sender: UserId, room_id: RoomId, type: str, content: Mapping[str, Any], state_key: str | None = None
    ) -> EventId:
        """Send an event as a local user, through the same checks and hooks as a client's. Raises MatrixError.

        A membership (`m.room.member`) is carried out as the join, invite, kick or ban that it amounts to. Forbidden
        where `sender` is a user of another server.
        """

    def events(self, event_ids: Sequence[EventId]) -> Mapping[EventId, Event]:
        """The events that are known, whoever may see them."""

    def visible_events(self, viewer: UserId, event_ids: Sequence[EventId]) -> Mapping[EventId, Mapping[str, Any]]:
        """The client format of those events that the viewer may see, with the viewer's `unsigned`."""

    def around(
        self, viewer: UserId, event_id: EventId, before: int, after: int
    ) -> tuple[Sequence[Mapping[str, Any]], Sequence[Mapping[str, Any]]]:
        """Up to `before` events before and `after` events after an event, as the viewer may see them, nearest first.

        Raises NotFound where the viewer cannot see the event itself.
        """

    def context(self, viewer: UserId, event_id: EventId, before: int, after: int) -> EventContext:
        """As `around`, with the tokens from which a client pages on in either direction. Raises NotFound."""


class Users(Protocol):
    """Accounts of this server and profiles of any."""

    def exists(self, user_id: UserId) -> bool:
        """Whether this is a local account, deactivated ones included."""

    def is_admin(self, user_id: UserId) -> bool:
        """Whether this is a local account that administers the server."""

    def is_locked(self, user_id: UserId) -> bool:
        """Whether this is a local account that an administrator has locked."""

    def create(self, localpart: str, displayname: str | None = None) -> UserId:
        """Make an account without a password. Raises MatrixError with M_USER_IN_USE or M_INVALID_USERNAME."""

    def profile(self, user_id: UserId) -> Profile | None:
        """A local user's profile, or what this server last saw of a remote one's; None if it knows nothing."""

    def set_profile(self, user_id: UserId, *, displayname: str | None = None, avatar_url: str | None = None) -> None:
        """Change fields of a local user's profile, told to the rooms the user is in; None leaves a field alone.

        '' removes one. Works also where users may not change the field themselves. Raises NotFound, InvalidParam.
        """

    def threepids(self, user_id: UserId) -> Sequence[tuple[str, str]]:
        """The (medium, address) pairs bound to a local account. Raises NotFound."""

    def add_threepid(self, user_id: UserId, medium: str, address: str) -> None:
        """Bind a validated address to a local account. Raises MatrixError with M_THREEPID_IN_USE, NotFound."""

    def account_data(self, user_id: UserId, type: str) -> Mapping[str, Any] | None:
        """A local user's global account data of one type, None where there is none. Raises NotFound."""

    def set_account_data(self, user_id: UserId, type: str, content: Mapping[str, Any]) -> None:
        """Replace a local user's global account data of one type. Raises NotFound, InvalidParam, TooLarge."""


class Http(Protocol):
    """The one door to other machines: blocked address ranges, time, size and connections are bounded there."""

    def request(
        self,
        method: str,
        url: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_ms: int = 10_000,
        max_bytes: int = 1_000_000,
    ) -> HttpAnswer:
        """Make one request, redirects followed. Raises Unavailable if there is no answer, Forbidden if refused."""

    def open(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        timeout_ms: int = 10_000,
        ranges: AddressRanges | None = None,
    ) -> AbstractContextManager[HttpStream]:
        """Make one request and lend its answer for the length of the block; redirects are answers like others.

        `ranges` replaces the configured `ip_range_blacklist`; the time limit is for the whole answer. Raises
        Unavailable if there is no answer, Forbidden if the address is refused, InvalidParam for what is no URL.
        """


class Sync(Protocol):
    """Wakes waiting syncs for a section the plugin contributed."""

    def advance(self, *, users: Collection[UserId] = (), rooms: Collection[RoomId] = ()) -> int:
        """Take the next tick of the in-memory counter and wake these users and the members of these rooms.

        A section keeps the tick beside what changed and gives it out to syncs whose range includes it.
        """


class Federation(Protocol):
    """Transient messages to other servers."""

    def send_edu(self, type: str, content: Mapping[str, Any], servers: Sequence[ServerName], key: str) -> None:
        """Send an EDU to each server; one that has not left yet and has the same type and key is replaced.

        There is no promise of delivery: EDUs sent this way are dropped for servers that are down.
        """


class Media(Protocol):
    """The media repository."""

    def store(self, owner: UserId, content: bytes, content_type: str, name: str | None = None) -> str:
        """Store a file as if the owner had uploaded it; returns its `mxc://` URI. Raises MatrixError."""

    def store_for_a_while(self, content: bytes, content_type: str, seconds: float, name: str | None = None) -> str:
        """Store a file of nobody's; returns its `mxc://` URI. Raises MatrixError.

        It counts against no quota, and is deleted within an hour after `seconds`, unless something refers to it then.
        """

    def delete_early(self, mxc: str) -> None:
        """Delete a file that was stored for a while, whatever refers to it. Others are left alone."""

    def read(self, mxc: str, max_bytes: int = 50_000_000) -> tuple[str, bytes] | None:
        """(content type, bytes) of a file this server has, None where there is none. Raises TooLarge."""


class Work(Protocol):
    """Work outside a request."""

    def spawn(self, name: str, function: Callable[[], None], *, after_seconds: float = 0) -> None:
        """Run `function` once in this process, in a pool of limited size, under the guard. It is lost on a restart.

        A minute is its time limit. Raises PluginBusy where 100 of the plugin's tasks run or wait already.
        """


@runtime_checkable
class PluginApi(Protocol):
    """Everything a plugin can reach, the server's side of the contract."""

    @property
    def name(self) -> str: ...
    @property
    def server(self) -> ServerFacts: ...
    @property
    def log(self) -> Logger: ...
    @property
    def gate(self) -> Gate: ...
    @property
    def tables(self) -> Tables: ...
    @property
    def rooms(self) -> Rooms: ...
    @property
    def users(self) -> Users: ...
    @property
    def http(self) -> Http: ...
    @property
    def sync(self) -> Sync: ...
    @property
    def federation(self) -> Federation: ...
    @property
    def media(self) -> Media: ...
    @property
    def work(self) -> Work: ...

    def send_mail(self, mail: Mail) -> None:
        """Send mail by the transport in force. Raises Unavailable if there is none or it fails."""

    def catch_up(self, consumer: str, seconds: float) -> bool:
        """Wait, `seconds` at most, until one of the plugin's consumers has handled all that is in the log now.

        Returns whether it has. So what answers from a consumer's tables can show what was done just before.
        """
