"""What each connection of a client has been told. In memory: whoever is forgotten starts afresh.

A connection has a name that the client chose, and belongs to a device. Of each two states are kept: that which the
client confirmed by coming back with its position, and that of the last answer, which may have got lost. States are
values; an answer makes the next one.
"""

from __future__ import annotations

import random
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

from gevent.event import Event

from core.errors import BadRequest
from core.graph.caches import ByteCache
from core.ids import EventNid, Position, RoomNid, UserNid
from core.sync.sliding.request import ListFilters, RoomConfig, SlidingBody
from core.sync.sliding.required_state import RequiredState
from core.sync.sliding.standings import Standings
from core.sync.tokens import SyncToken

MEMORY_BYTES = 96 * 1024 * 1024
"""All connections together."""
CONNECTIONS_PER_DEVICE = 10
REPEATABLE_BYTES = 64 * 1024
"""An answer up to this size is kept, in case it gets lost; a larger one is made again."""
_ROOM_BYTES = 250


class UnknownPosition(BadRequest):
    """The position is not, or no longer, known: the client has to start afresh, without one."""

    errcode = "M_UNKNOWN_POS"


@dataclass(frozen=True, slots=True)
class ToldRoom:
    """What a client knows of a room.

    `since` is the position up to which, 0 for that of the connection. `members` are those whom lazy loading has sent.
    """

    membership: str
    event_nid: EventNid
    since: int
    timeline_limit: int
    required: RequiredState
    members: frozenset[UserNid] = frozenset()


@dataclass(frozen=True, slots=True)
class Selection:
    """The rooms that a request asks for. `is_settled`: the order of rooms plays no part in it."""

    configs: Mapping[RoomNid, RoomConfig] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    lists: Mapping[str, frozenset[RoomNid]] = field(default_factory=dict)
    is_settled: bool = False


Passing = tuple[ListFilters | None, frozenset[RoomNid]]
"""Filters, and the rooms that they accept."""


_BEGINNING = SyncToken(Position(0))


@dataclass(frozen=True, slots=True)
class Told:
    """All that a client knows over one connection, and what was worked out to tell it."""

    token: SyncToken = _BEGINNING
    body: SlidingBody | None = None
    rooms: Mapping[RoomNid, ToldRoom] = field(default_factory=dict)
    known: frozenset[RoomNid] = frozenset()
    """Those of `rooms` that the user is in."""
    standings: Standings = field(default_factory=dict)
    direct: frozenset[str] = frozenset()
    tags: Mapping[str, frozenset[str]] | None = None
    passing: Mapping[str, Passing] = field(default_factory=dict)
    selection: Selection = Selection()
    extensions: Mapping[str, frozenset[RoomNid]] = field(default_factory=dict)
    """By extension the rooms of which the client has all there is."""


class Connection:
    """One connection."""

    def __init__(self) -> None:
        self._states: dict[str, Told] = {}
        self._turn = 0
        self._waiter: Event | None = None
        self._reply: tuple[str, SlidingBody, bytes] | None = None

    def at(self, pos: str) -> Told | None:
        """What the client knows that asks with `pos`; it has then received what led to it, and other answers are void."""
        found = self._states.get(pos)
        if found is not None and self._reply is not None and self._reply[0] != pos:
            self._states, self._reply = {pos: found}, None
        return found

    def reply_to(self, pos: str, body: SlidingBody) -> bytes | None:
        """The answer that was given to this very request before."""
        reply = self._reply
        return reply[2] if reply is not None and reply[0] == pos and reply[1] == body else None

    def begin(self, waiter: Event) -> int:
        """A request begins; one that still waits is over."""
        self._turn += 1
        if self._waiter is not None:
            self._waiter.set()
        self._waiter = waiter
        return self._turn

    def is_over(self, turn: int) -> bool:
        """Whether another request has begun since."""
        return turn != self._turn

    def answered(self, asked: str, body: SlidingBody, pos: str, told: Told, reply: bytes) -> None:
        """An answer goes out, to a request that asked with `asked`."""
        before = self._states.get(asked)
        self._states = {pos: told} if before is None else {asked: before, pos: told}
        self._reply = (asked, body, reply if len(reply) <= REPEATABLE_BYTES else b"") if asked else None

    @property
    def size_bytes(self) -> int:
        """About how much memory it takes."""
        rooms = {id(told.rooms): len(told.standings) + len(told.rooms) for told in self._states.values()}
        return 2_000 + _ROOM_BYTES * sum(rooms.values()) + (0 if self._reply is None else len(self._reply[2]))


class Connections:
    """All connections, by device and name."""

    def __init__(self, memory_bytes: int = MEMORY_BYTES) -> None:
        self._devices: ByteCache[tuple[UserNid, str], OrderedDict[str, Connection]] = ByteCache(memory_bytes)
        self._epoch = random.SystemRandom().randrange(1, 10**9)
        self._count = 0

    def open(self, user: UserNid, scope: str, name: str) -> Connection:
        """A connection that begins, in place of one of the same name."""
        device = self._devices.get((user, scope)) or OrderedDict()
        former = device.pop(name, None)
        if former is not None:
            former.begin(Event())
        device[name] = Connection()
        if len(device) > CONNECTIONS_PER_DEVICE:
            device.popitem(last=False)
        self._put(user, scope, device)
        return device[name]

    def find(self, user: UserNid, scope: str, name: str, pos: str) -> tuple[Connection, Told]:
        """A connection, and what it knows at `pos`. Raises UnknownPosition (400)."""
        device = self._devices.get((user, scope))
        connection = None if device is None else device.get(name)
        told = None if connection is None else connection.at(pos)
        if device is None or connection is None or told is None:
            raise UnknownPosition("This position is not known any more; start afresh, without 'pos'.")
        device.move_to_end(name)
        return connection, told

    def weigh(self, user: UserNid, scope: str) -> None:
        """A device's connections have grown."""
        device = self._devices.get((user, scope))
        if device is not None:
            self._put(user, scope, device)

    def new_position(self) -> str:
        """A position that was never given out."""
        self._count += 1
        return f"{self._epoch}.{self._count}"

    def _put(self, user: UserNid, scope: str, device: OrderedDict[str, Connection]) -> None:
        self._devices.put((user, scope), device, sum(one.size_bytes for one in device.values()))
