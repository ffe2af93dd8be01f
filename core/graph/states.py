"""The state of a room, now or at any event: which event holds each key."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import islice
from typing import Protocol

import gevent

from core.errors import NotFound
from core.events.event import Event
from core.graph.caches import ByteCache
from core.graph.events import EventReader
from core.graph.lines import Difference, StateMap, StateReader, difference
from core.graph.stored_event import StateRef, StoredEvent
from core.graph.tips import TipReader
from core.ids import EventNid, RoomNid, StateKey, UserNid
from core.storage.interning import Interner
from core.storage.memberships import membership_of
from core.storage.state_deltas import DeltaRange
from core.storage.state_lines import StateLineStore, StateNidKey

CHANGES_AT_ONCE = 500
"""How many changes of a large delta are read before others may run."""
REPLACED_BYTES = 4 * 1024 * 1024
"""How much is kept of what events took the place of."""
_REPLACED_BYTES = 150


class EventsByNid(Protocol):
    """Who reads events for a state."""

    def by_nid(self, nid: EventNid) -> StoredEvent: ...
    def by_nids(self, nids: Iterable[EventNid]) -> dict[EventNid, StoredEvent]: ...


class RoomState:
    """One state of one room. Events are loaded when they are asked for; the state itself is already in memory.

    `ref` says where the state is written, None where it is not. Two states are equal if they hold the same events.
    """

    __slots__ = ("_map", "_reader", "_texts", "ref")

    def __init__(self, entries: StateMap, ref: StateRef | None, reader: EventsByNid, texts: Interner) -> None:
        self._map = entries
        self._reader = reader
        self._texts = texts
        self.ref = ref

    def get(self, event_type: str, state_key: str = "") -> StoredEvent | None:
        """The event that holds this key, or None."""
        nid = self.nid(event_type, state_key)
        return None if nid is None else self._reader.by_nid(nid)

    def require(self, event_type: str, state_key: str = "") -> StoredEvent:
        """The event that holds this key. Raises NotFound."""
        found = self.get(event_type, state_key)
        if found is None:
            raise NotFound(f"The room's state has no {event_type} with the state key {state_key!r}.")
        return found

    def event(self, event_type: str, state_key: str = "") -> Event | None:
        """As `get`, but the parsed event: the form in which the auth rules ask for a state."""
        found = self.get(event_type, state_key)
        return None if found is None else found.event

    def nid(self, event_type: str, state_key: str = "") -> EventNid | None:
        """The number of the event that holds this key, or None."""
        key = self._key(event_type, state_key)
        return None if key is None else self._map.get(key)

    def nids(self) -> Mapping[StateNidKey, EventNid]:
        """All of it, by number."""
        return self._map

    def of_type(self, event_type: str) -> dict[str, StoredEvent]:
        """The events of one type, by state key. Cost: a look at every entry; for members ask MembershipStore."""
        type_nid = self._texts.find(event_type)
        wanted = [event for (one, _), event in self._map.items() if one == type_nid]
        return {stored.state_key or "": stored for stored in self._reader.by_nids(wanted).values()}

    def events(self, keys: Collection[StateKey] | None = None) -> dict[StateKey, StoredEvent]:
        """The events that hold these keys, or all, read at once."""
        if keys is None:
            wanted = list(self._map.values())
        else:
            wanted = [nid for key in keys if (nid := self.nid(*key)) is not None]
        found = self._reader.by_nids(wanted).values()
        return {(stored.type, stored.state_key or ""): stored for stored in found}

    def difference(self, later: RoomState) -> Difference:
        """What must happen to this state to make it `later`: (key, event here, event there), by number."""
        return difference(self._map, later._map)

    def __len__(self) -> int:
        return len(self._map)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RoomState) and self._map == other._map

    __hash__ = None  # type: ignore[assignment]  # compared by value, so not hashable

    def _key(self, event_type: str, state_key: str) -> StateNidKey | None:
        type_nid, key_nid = self._texts.find(event_type), self._texts.find(state_key)
        return None if type_nid is None or key_nid is None else (type_nid, key_nid)


class RoomStates:
    """The states of rooms, and what changed between them."""

    def __init__(
        self, tips: TipReader, reader: StateReader, lines: StateLineStore, events: EventReader, texts: Interner
    ) -> None:
        self._tips = tips
        self._reader = reader
        self._lines = lines
        self._events = events
        self._texts = texts
        self._replaced: ByteCache[EventNid, EventNid] = ByteCache(REPLACED_BYTES)

    def current(self, room: RoomNid) -> RoomState:
        """The resolved current state. Empty for a room that has none yet."""
        tip = self._tips.get(room)
        return self._state(tip.state, StateRef(tip.line, tip.index))

    def load(self, rooms: Collection[RoomNid]) -> None:
        """Read the current states of rooms into memory, many at once, for who is going to ask for each."""
        self._tips.load(rooms)

    def extremities(self, room: RoomNid) -> list[StoredEvent]:
        """The forward extremities: what the next event follows."""
        return list(self._tips.get(room).extremities.values())

    def member_counts(self, room: RoomNid) -> tuple[int, int]:
        """(joined, invited) members of the current state."""
        tip = self._tips.get(room)
        return tip.joined_count, tip.invited_count

    def before(self, event: EventNid) -> RoomState:
        """The state before an event. Raises NotFound where it is not known: for outliers and history before a gap."""
        stored = self._events.by_nid(event)
        if stored.before is None:
            raise NotFound(f"The state before {stored.event_id} is not known here.")
        return self.at(stored.before)

    def after(self, event: EventNid) -> RoomState:
        """The state after an event, which is that before it where it was rejected. Raises NotFound as `before`."""
        stored = self._events.by_nid(event)
        before = self.before(event)
        if not stored.changes_state:
            return before
        return self._state(before._map.set(stored.nid_key, stored.nid), stored.after)

    def at(self, ref: StateRef) -> RoomState:
        """The state at a reference."""
        return self._state(self._reader.read(ref), ref)

    def former(self, event: StoredEvent) -> StoredEvent | None:
        """What a state event took the place of in the state before it; None for nothing, or nothing known."""
        nid = self.replaced_by((event,)).get(event.nid)
        return None if nid is None else self._events.by_nid(nid)

    def replaced_by(self, events: Iterable[StoredEvent]) -> dict[EventNid, EventNid]:
        """What each state event among some took the place of in the state before it; those that did of nothing, or of
        nothing known, are left out. Never changes, so it is kept. Cost: a query for each fifty lines of what is not kept.
        """
        found: dict[EventNid, EventNid] = {}
        missing: dict[StoredEvent, StateRef] = {}
        for stored in events:
            known = self._replaced.get(stored.nid) if stored.is_state else EventNid(0)
            if known is None and stored.before is not None:
                missing[stored] = stored.before
            elif known:
                found[stored.nid] = known
        for stored, former in self._looked_up(missing):
            self._replaced.put(stored.nid, former, _REPLACED_BYTES)
            if former:
                found[stored.nid] = former
        return found

    def _looked_up(self, places: Mapping[StoredEvent, StateRef]) -> Iterator[tuple[StoredEvent, EventNid]]:
        """Mostly an event is the very next change of the line it builds on, which says what it replaced."""
        indexes: dict[int, set[int]] = {}
        for before in places.values():
            indexes.setdefault(before.line, set()).add(before.index + 1)
        changes = self._lines.changes_at(indexes)
        for stored, before in places.items():
            old, new = changes.get((before.line, before.index + 1), (0, 0))
            if new != stored.nid:
                old = self._reader.value(before, stored.nid_key) or 0
            yield stored, EventNid(old)

    def history_of(self, room: RoomNid, event_type: str, state_key: str = "") -> list[tuple[int, StoredEvent | None]]:
        """(index, event) of every change of one key of the current state, oldest first; indexes are the main line's."""
        return self.histories_of((room,), event_type, state_key)[room]

    def histories_of(
        self, rooms: Collection[RoomNid], event_type: str, state_key: str = ""
    ) -> dict[RoomNid, list[tuple[int, StoredEvent | None]]]:
        """As `history_of`, for many rooms at once."""
        type_nid, key_nid = self._texts.find(event_type), self._texts.find(state_key)
        if type_nid is None or key_nid is None:
            return {room: [] for room in rooms}
        key, tips = (type_nid, key_nid), {room: self._tips.get(room) for room in rooms}
        histories = self._lines.histories_of([tip.line for tip in tips.values()], key)
        changes: dict[RoomNid, list[tuple[int, int]]] = {}
        for room, tip in tips.items():
            rows = histories[tip.line]
            changes[room] = [(index, new) for index, _, new in rows]
            if rows and rows[0][1]:
                changes[room].insert(0, (0, rows[0][1]))  # what it held before the part of the line that is kept
            elif not rows and (held := tip.state.get(key)):
                changes[room] = [(0, held)]
        events = self._events.by_nids({EventNid(new) for listed in changes.values() for _, new in listed if new})
        return {room: [(index, events.get(EventNid(new))) for index, new in listed] for room, listed in changes.items()}

    def membership_intervals(self, room: RoomNid, user: UserNid) -> list[tuple[int, str]]:
        """(first index of the main line, membership) of a user's memberships, oldest first; '' for none."""
        return memberships_in(self.history_of(room, "m.room.member", self._texts.text(user)))

    def changes(self, delta: DeltaRange) -> list[tuple[StateKey, EventNid | None, EventNid | None]]:
        """What a state delta says: (key, old, new), each key once, those that ended as they began left out."""
        return self._changes(delta.line_nid, delta.after_index, delta.upto_index)

    def has_changed(self, delta: DeltaRange, event_type: str, state_key: str = "") -> bool:
        """Whether a state delta speaks of this key: far cheaper than to read all of it."""
        type_nid, key_nid = self._texts.find(event_type), self._texts.find(state_key)
        if type_nid is None or key_nid is None:
            return False
        rows = self._lines.history_of(delta.line_nid, (type_nid, key_nid))
        return any(delta.after_index < row[0] <= delta.upto_index for row in rows)

    def changes_between(
        self, room: RoomNid, after_index: int, upto_index: int
    ) -> list[tuple[StateKey, EventNid | None, EventNid | None]]:
        """The net changes of a room's current state between two indexes of its main line."""
        return self._changes(self._tips.get(room).line, after_index, upto_index)

    def _changes(self, line: int, after: int, upto: int) -> list[tuple[StateKey, EventNid | None, EventNid | None]]:
        net: dict[StateNidKey, tuple[int, int]] = {}
        for start in range(after, upto, CHANGES_AT_ONCE):
            end = min(start + CHANGES_AT_ONCE, upto)
            for type_nid, key_nid, old, new in self._lines.changes(self._tips.database, line, start, end):
                first = net.get((type_nid, key_nid))
                net[type_nid, key_nid] = (old if first is None else first[0], new)
            if end < upto:
                gevent.idle()
        found: list[tuple[StateKey, EventNid | None, EventNid | None]] = []
        entries = iter(net.items())
        while chunk := list(islice(entries, CHANGES_AT_ONCE)):
            texts = self._texts.texts({nid for key, _ in chunk for nid in key})
            found += [
                ((texts[type_nid], texts[key_nid]), EventNid(old) if old else None, EventNid(new) if new else None)
                for (type_nid, key_nid), (old, new) in chunk
                if old != new
            ]
            if len(chunk) == CHANGES_AT_ONCE:
                gevent.idle()
        return found

    def _state(self, entries: StateMap, ref: StateRef | None) -> RoomState:
        return RoomState(entries, ref, self._events, self._texts)


def memberships_in(history: Iterable[tuple[int, StoredEvent | None]]) -> list[tuple[int, str]]:
    """(index, membership) of a user's member events over the main line; '' for none."""
    return [(index, "" if stored is None else membership_of(stored.content)) for index, stored in history]
