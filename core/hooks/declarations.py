"""What a plugin can add to the server: values that say what, and functions that the server will call.

The server calls every function in here under the guard, with the plugin's name, so one that fails is counted and a
plugin that keeps failing is switched off; see core.hooks.guard.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, BinaryIO, Protocol, runtime_checkable

from core.events.event import Event
from core.hooks.errors import PluginError
from core.hooks.verdicts import Reject
from core.ids import DeviceId, EventId, Position, RoomId, ServerName, StateKey, UserId

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_CREATE = re.compile(r"\s*CREATE\s+(?:VIRTUAL\s+)?TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?[`\"]?(\w+)", re.IGNORECASE)


def check_name(what: str, name: str) -> None:
    """Raise PluginError unless `name` is lower-case letters, digits and `_`, begins with a letter, and is short."""
    if _NAME.fullmatch(name) is None:
        raise PluginError(
            f"{what} may not be called {name!r}: use a letter, then up to 39 of a-z, 0-9 and _, in lower case."
        )


@dataclass(frozen=True, slots=True)
class Job:
    """Something done again and again, by one process of the deployment at a time (it holds a lease).

    Its first turn is within 10 s of the start, unless it has had one shortly before; turns come up to a tenth of
    the interval early or late.
    """

    name: str
    every_seconds: float
    run: Callable[[], None]
    time_limit_seconds: float = 60.0

    def __post_init__(self) -> None:
        check_name("A job", self.name)
        if self.every_seconds < 1:
            raise PluginError(f"The job {self.name} asks for {self.every_seconds} s between runs; 1 s is the least.")


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of a plugin's schema: statements for both engines, or a list for each where they differ.

    MySQL commits after each change of schema, so write steps that can be run again (`IF NOT EXISTS`).
    """

    number: int
    statements: Sequence[str] = ()
    sqlite: Sequence[str] = ()
    mysql: Sequence[str] = ()

    def for_engine(self, engine: str) -> Sequence[str]:
        """The statements to run on `sqlite` or `mysql`, in order."""
        return (*self.statements, *(self.mysql if engine == "mysql" else self.sqlite))


@dataclass(frozen=True, slots=True)
class TableSet:
    """A plugin's own tables. All their names begin with the set's name and `_`; migrations are numbered from 1."""

    name: str
    migrations: Sequence[Migration]

    def __post_init__(self) -> None:
        check_name("A table set", self.name)
        numbers = [migration.number for migration in self.migrations]
        if numbers != list(range(1, len(numbers) + 1)):
            raise PluginError(
                f"The migrations of table set {self.name} are numbered {numbers}; they must be 1, 2, 3, …"
            )
        for migration in self.migrations:
            for statement in (*migration.statements, *migration.sqlite, *migration.mysql):
                made = _CREATE.match(statement)
                if made is not None and not made[1].startswith(f"{self.name}_"):
                    raise PluginError(f"Table set {self.name} creates {made[1]}; its tables begin with {self.name}_.")


class LogKind(StrEnum):
    """What a line of the server's log can be about, as far as plugins are concerned."""

    EVENT = "event"
    """A live event, accepted into its room. Backfilled ones are not among them."""
    BACKFILL = "backfill"
    """An event of a room's history, which arrived after what came later. Since 0.1."""
    STATE = "state"
    """The resolved current state of a room changed, with or without a new event."""
    PROFILE = "profile"
    ACCOUNT_DATA = "account_data"
    RECEIPT = "receipt"
    DEVICES = "devices"


@dataclass(frozen=True, slots=True)
class StateChange:
    """One key of a room's current state: what it was and what it is, None where it had or has nothing."""

    key: StateKey
    old: EventId | None
    new: EventId | None


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of the log. Of the last four, those that its kind has are set."""

    position: Position
    kind: LogKind
    room_id: RoomId | None = None
    user_id: UserId | None = None
    event: Event | None = None
    changes: Sequence[StateChange] = ()


@dataclass(frozen=True, slots=True)
class Consumer:
    """A durable follower of the log. Its cursor is kept in the database under the plugin's and its own name.

    `handle` gets up to `batch_size` lines in order, at least once: after a crash the last batch may come again. It
    returns when it is done with all of them; if it raises, the same batch comes again after a pause that grows.
    A new consumer begins at the end of the log, or at its start with `from_start`. One of STATE that was away while
    old lines were dropped gets the present state of every room instead, as changes from nothing. New lines gather for
    `settle_seconds` before they are handed over, which saves work where nobody waits. Where it `may_repeat`, since
    handling lines twice changes nothing, the cursor is written every few seconds instead of after each batch, so
    that as much may come again after a crash.
    """

    name: str
    kinds: frozenset[LogKind]
    handle: Callable[[Sequence[LogLine]], None]
    batch_size: int = 200
    from_start: bool = False
    time_limit_seconds: float = 60.0
    settle_seconds: float = 0.0
    may_repeat: bool = False

    def __post_init__(self) -> None:
        check_name("A consumer", self.name)


@dataclass(frozen=True, slots=True)
class SyncRange:
    """Whose sync is answered and from where to where: log positions, and ticks of the in-memory counter.

    Both `since` are None in an initial sync, `since_tick` alone when the counter began anew: send what is current.
    Ranges exclude their beginning and include their end. `filter` is the section of that name in the client's filter.
    `joined_rooms` are rooms that the user may have joined in the range: what is current of them is new to the client.
    """

    user_id: UserId
    device_id: DeviceId | None
    since: Position | None
    until: Position
    since_tick: int | None
    until_tick: int
    filter: Mapping[str, Any]
    joined_rooms: frozenset[RoomId] = frozenset()


@dataclass(frozen=True, slots=True)
class SyncSection:
    """A top-level key of the answer to /sync. `read` returns its JSON, or None to leave it out; it must be quick."""

    name: str
    read: Callable[[SyncRange], Any | None]


@dataclass(frozen=True, slots=True)
class Edu:
    """A type of EDU that is understood. `receive` gets the authenticated origin and the content, unchecked."""

    type: str
    receive: Callable[[ServerName, Mapping[str, Any]], None]


@dataclass(frozen=True, slots=True)
class AuthStage:
    """A stage of user-interactive authentication.

    `params` is what the client is told of the stage in each session; `check` gets the user, if there is one already,
    and the `auth` object the client sent; it returns what the session should remember, or Reject.
    """

    type: str
    params: Callable[[], Mapping[str, Any]]
    check: Callable[[UserId | None, Mapping[str, Any]], Mapping[str, Any] | Reject]


@dataclass(frozen=True, slots=True)
class LoginType:
    """A login type offered to clients; a request of this type with all `fields` is put to `check_login_type`."""

    type: str
    fields: Sequence[str]


@dataclass(frozen=True, slots=True)
class UnsignedFields:
    """Fields added to the `unsigned` of events in answers to clients, composed for all events of an answer at once.

    Names that the specification uses are taken.
    """

    names: frozenset[str]
    compose: Callable[[UserId, Sequence[Event]], Mapping[EventId, Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Mail:
    """One message to one address. Where `html` is set both forms are sent."""

    to: str
    subject: str
    text: str
    html: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@runtime_checkable
class MailTransport(Protocol):
    """Carries mail."""

    def send(self, mail: Mail) -> None:
        """Hand one message over. May block on the network. Raises any exception if it was not accepted."""


@runtime_checkable
class MediaBackend(Protocol):
    """A place where the media repository keeps files, chosen by `name` in the configuration.

    Paths are relative, `/`-separated, plain ASCII, and name one immutable file. All methods may block.
    """

    name: str

    def write(self, path: str, source: BinaryIO) -> None:
        """Store what `source` reads, all or nothing."""

    def read(self, path: str, start: int = 0) -> Iterable[bytes] | None:
        """The file from byte `start` on, in pieces; None if there is no such file."""

    def size(self, path: str) -> int | None:
        """The file's size in bytes; None if there is no such file."""

    def delete(self, path: str) -> bool:
        """Remove the file; False if there was none."""
