"""Where a room stands: its forward extremities, its current state, and the counters an append needs.

A tip is a value. An append makes the next one, which takes effect when it has been committed; until then later jobs of
the same group find it in the transaction's overlay.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from immutables import Map

from core.events.room_versions import RoomVersion
from core.graph.caches import ByteCache
from core.graph.events import EventReader
from core.graph.lines import EMPTY, NO_LINE, StateMap
from core.graph.stored_event import StateRef, StoredEvent
from core.ids import EventNid, RoomId, RoomNid
from core.storage.database import Database
from core.storage.extremities import ExtremityStore
from core.storage.log import Kind, Line
from core.storage.rooms import RoomRow, RoomStore
from core.storage.state_lines import StateLineStore, StateNidKey
from core.storage.writer import Transaction

CACHE_BYTES = 32 * 1024 * 1024
"""How much of current states is kept in memory, unless the composition root says otherwise."""
LOAD_ATTEMPTS = 20
ROOMS_AT_ONCE = 50
"""So many tips are read together."""
MEMBERS_AT_ONCE = 1_000
"""The states of so many members are read in one query."""
OWN_EVENTS = 100_000
"""How many events of ours may be waiting for the log to tell of them."""


@dataclass(frozen=True, slots=True)
class Tip:
    """A room after its `serial`-th append. `line` and `index` are the tip of the main line, `state` the state there."""

    room_nid: RoomNid
    room_id: RoomId
    version: RoomVersion
    serial: int
    line: int
    index: int
    keyframe_index: int
    state: StateMap
    extremities: Mapping[EventNid, StoredEvent]
    top_depth: int
    joined_count: int
    invited_count: int

    @property
    def ref(self) -> StateRef:
        """The reference of the current state."""
        return StateRef(self.line, self.index)

    def row(self) -> RoomRow:
        """The room's changing row."""
        return RoomRow(self.serial, self.line, self.index, self.top_depth, self.joined_count, self.invited_count)


class TipReader:
    """Tips, from memory or from the database."""

    followed = (Kind.EVENT, Kind.BACKFILL)
    """The kinds of lines it hears of."""

    def __init__(
        self,
        database: Database,
        rooms: RoomStore,
        lines: StateLineStore,
        extremities: ExtremityStore,
        events: EventReader,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        self.database = database
        self._rooms = rooms
        self._lines = lines
        self._extremities = extremities
        self._events = events
        self._cache: ByteCache[RoomNid, Tip] = ByteCache(cache_bytes)
        self._own: set[int] = set()

    def get(self, room: RoomNid) -> Tip:
        """The committed tip of a room. Raises KeyError for a number that no room has."""
        found = self._cache.get(room)
        if found is None:
            found = self._load(room)
            self.keep(found)
        return found

    def load(self, rooms: Collection[RoomNid]) -> None:
        """Read the tips that are not in memory, many at once; those that are being appended to are left to `get`."""
        missing = [room for room in rooms if self._cache.get(room) is None]
        for start in range(0, len(missing), ROOMS_AT_ONCE):
            some = missing[start : start + ROOMS_AT_ONCE]
            with self.database.reading():
                tips = self._read(some, None)
                now = self._rooms.rows(self.database, some)
            for room, tip in tips.items():
                if now[room].serial == tip.serial:
                    self.keep(tip)

    def in_job(self, transaction: Transaction, room: RoomNid) -> Tip:
        """The tip as the jobs before this one have left it. Call inside a job, to build on."""
        found = transaction.overlay.get(("tip", room))
        if found is not None:
            return found  # type: ignore[no-any-return]  # the overlay holds anything
        if self.database.dialect.is_mysql:  # other processes may append as well
            serial = self._rooms.lock(transaction, room)
            known = self._cache.get(room)
            if known is not None and known.serial != serial:
                self.drop(room)
                return self._read((room,), transaction)[room]
        found = self._cache.get(room)
        return found if found is not None else self._read((room,), transaction)[room]

    def keep(self, tip: Tip) -> None:
        """Put a committed tip into the cache, unless a later one is there."""
        known = self._cache.get(tip.room_nid)
        if known is None or known.serial <= tip.serial:
            self._cache.put(tip.room_nid, tip, 2_000 + 160 * len(tip.state))

    def note_own(self, events: Iterable[EventNid]) -> None:
        """These events were just committed by this process, whose memory knows of them already."""
        if len(self._own) > OWN_EVENTS:
            self._own.clear()  # then memory is read again where it need not be, and nothing else happens
        self._own.update(events)

    def follow(self, lines: list[Line]) -> None:
        """A follower of the log: let go of what other processes have changed."""
        for line in lines:
            if line.kind is Kind.EVENT or line.kind is Kind.BACKFILL:
                if line.reference in self._own:
                    self._own.discard(line.reference)
                else:
                    self._cache.drop(RoomNid(line.subject))
                    self._events.drop((EventNid(line.reference),))

    def drop(self, room: RoomNid) -> None:
        """Let go of a tip: another process has appended."""
        self._cache.drop(room)

    def _load(self, room: RoomNid) -> Tip:
        """Read a tip in several queries, and again where an append came between them."""
        for _ in range(LOAD_ATTEMPTS):
            with self.database.reading():
                tip = self._read((room,), None)[room]
                if self._rooms.row(self.database, room).serial == tip.serial:
                    return tip
        raise TimeoutError(f"room {room} is appended to faster than it can be read")

    def _read(self, rooms: Collection[RoomNid], transaction: Transaction | None) -> dict[RoomNid, Tip]:
        """The tips of rooms, as far as the numbers were ever given out."""
        source = transaction or self.database
        rows, names = self._rooms.rows(source, rooms), self._rooms.names(rooms)
        lines = self._lines.lines(source, [row.main_line for row in rows.values() if row.main_line != NO_LINE])
        states: dict[RoomNid, dict[StateNidKey, EventNid]] = {}
        for some in _batches(rows):
            states.update(self._lines.current(source, some))
        extremities = self._extremities.of(source, rooms)
        events = self._events.by_nids([nid for nids in extremities.values() for nid in nids], transaction)
        return {
            room: Tip(
                room,
                names[room].room_id,
                names[room].version,
                row.serial,
                row.main_line,
                row.main_index,
                lines[row.main_line].keyframe_index if row.main_line != NO_LINE else -1,
                Map(states[room]) if room in states else EMPTY,
                {nid: events[nid] for nid in extremities[room] if nid in events},
                row.top_depth,
                row.joined_count,
                row.invited_count,
            )
            for room, row in rows.items()
        }


def _batches(rows: Mapping[RoomNid, RoomRow]) -> Iterator[list[RoomNid]]:
    """The rooms that have a state, in pieces whose states hold not too much together."""
    batch: list[RoomNid] = []
    size = 0
    for room, row in rows.items():
        if row.main_line == NO_LINE:
            continue
        batch.append(room)
        size += row.joined_count + row.invited_count
        if size >= MEMBERS_AT_ONCE:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
