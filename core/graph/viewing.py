"""Which events of a room a local user may see, decided from intervals of the main line.

What a user may see depends on their membership and on the room's history visibility *at the event*. Both change rarely,
so they are kept as short lists of (index of the main line, value), and an event finds its place in them by its own
`main_index`; no state is loaded. Where the state before an event is not on the main line (a late branch) this is the
resolved state of that time, which is what the server would have told the user then.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from core.events.visibility import HistoryVisibility, history_visibility, may_see
from core.graph.caches import ByteCache
from core.graph.states import RoomStates, memberships_in
from core.graph.stored_event import StoredEvent
from core.ids import EventNid, RoomNid, UserId, UserNid
from core.storage.events import Flag

CACHE_BYTES = 16 * 1024 * 1024
"""How much of intervals is kept in memory."""


@dataclass(frozen=True, slots=True)
class Intervals:
    """A value over the main line: `values[i]` holds from `starts[i]` on, until the next one."""

    starts: tuple[int, ...]
    values: tuple[str, ...]

    def at(self, index: int) -> str:
        """The value after the change at `index`; '' before the first."""
        place = bisect_right(self.starts, index)
        return self.values[place - 1] if place else ""

    def later_has(self, index: int, value: str) -> bool:
        """Whether it is `value` at `index` or at any time after."""
        place = bisect_right(self.starts, index)
        return value in self.values[max(place - 1, 0) :]


class Viewing:
    """What local users may see. Its intervals are cached until the event that ends them comes."""

    def __init__(self, states: RoomStates, cache_bytes: int = CACHE_BYTES) -> None:
        self._states = states
        self._memberships: ByteCache[tuple[RoomNid, UserNid], tuple[EventNid | None, Intervals]] = ByteCache(
            cache_bytes
        )
        self._visibilities: ByteCache[RoomNid, tuple[EventNid | None, Intervals]] = ByteCache(cache_bytes // 4)

    def memberships(self, room: RoomNid, user_nid: UserNid, user_id: UserId) -> Intervals:
        """The user's memberships of a room."""
        current = self._states.current(room).nid("m.room.member", user_id)
        known = self._memberships.get((room, user_nid))
        if known is not None and known[0] == current:
            return known[1]
        found = _intervals(self._states.membership_intervals(room, user_nid))
        self._memberships.put((room, user_nid), (current, found), 200 + 100 * len(found.starts))
        return found

    def load(self, rooms: Iterable[RoomNid], user_nid: UserNid, user_id: UserId) -> None:
        """Read what decides what the user sees of rooms into memory, for many at once."""
        states = {room: self._states.current(room) for room in rooms}
        members = {room: state.nid("m.room.member", user_id) for room, state in states.items()}
        unknown = [room for room, nid in members.items() if not _holds(self._memberships.get((room, user_nid)), nid)]
        for room, history in self._states.histories_of(unknown, "m.room.member", user_id).items():
            found = _intervals(memberships_in(history))
            self._memberships.put((room, user_nid), (members[room], found), 200 + 100 * len(found.starts))
        settings = {room: state.nid("m.room.history_visibility") for room, state in states.items()}
        unknown = [room for room, nid in settings.items() if not _holds(self._visibilities.get(room), nid)]
        for room, history in self._states.histories_of(unknown, "m.room.history_visibility").items():
            found = _intervals(_visibilities_in(history))
            self._visibilities.put(room, (settings[room], found), 200 + 100 * len(found.starts))

    def visible(self, events: Iterable[StoredEvent], user_nid: UserNid, user_id: UserId) -> list[StoredEvent]:
        """Those of one room's `events` that the user may see, in the order given."""
        listed = list(events)
        if not listed:
            return []
        room = listed[0].room_nid
        if self.sees_all_from(room, user_nid, user_id) == 0:
            return listed
        memberships, visibilities = self.memberships(room, user_nid, user_id), self.visibilities(room)
        return [stored for stored in listed if self._sees(stored, user_id, memberships, visibilities)]

    def may_see(self, stored: StoredEvent, user_nid: UserNid, user_id: UserId) -> bool:
        """Whether the user may see this event."""
        return bool(self.visible((stored,), user_nid, user_id))

    def sees_all_from(self, room: RoomNid, user_nid: UserNid, user_id: UserId) -> int | None:
        """From which index of the main line on the user sees everything, to now; None for who is not in the room."""
        memberships = self.memberships(room, user_nid, user_id)
        if memberships.values[-1:] != ("join",):
            return None
        hides = any(value not in ("shared", "world_readable") for value in self.visibilities(room).values)
        return memberships.starts[-1] if hides else 0

    def useless_before(self, room: RoomNid, user_nid: UserNid, user_id: UserId) -> int:
        """Below which index of the main line it is not worth looking for events that the user may see; 0 for none."""
        visibilities = self.visibilities(room)
        if not visibilities.starts or any(value in ("shared", "world_readable") for value in visibilities.values):
            return 0
        starts = self.memberships(room, user_nid, user_id).starts
        if not starts or starts[0] < visibilities.starts[0]:  # they were there first, and may see the beginning
            return 0
        return starts[0]

    def visibilities(self, room: RoomNid) -> Intervals:
        """The room's history visibility over its main line; empty where it was never set."""
        current = self._states.current(room).nid("m.room.history_visibility")
        known = self._visibilities.get(room)
        if known is not None and known[0] == current:
            return known[1]
        history = self._states.history_of(room, "m.room.history_visibility")
        found = _intervals(_visibilities_in(history))
        self._visibilities.put(room, (current, found), 200 + 100 * len(found.starts))
        return found

    def _sees(self, stored: StoredEvent, user_id: UserId, memberships: Intervals, visibilities: Intervals) -> bool:
        """History that arrived late has its place on the main line only now, so the state before it decides."""
        if not stored.flags & Flag.BACKFILLED or stored.before is None:
            return _may_see(stored, user_id, memberships, visibilities)
        state = self._states.before(stored.nid)
        member = state.event("m.room.member", user_id)
        membership = None if member is None else member.content.get("membership")
        seen_as = history_visibility(state.event("m.room.history_visibility"))
        joined_since = membership == "join" or "join" in memberships.values
        return may_see(
            stored.event, user_id, seen_as, membership if isinstance(membership, str) else None, joined_since
        )


def _may_see(stored: StoredEvent, user_id: UserId, memberships: Intervals, visibilities: Intervals) -> bool:
    index = stored.main_index
    own = stored.type == "m.room.member" and stored.state_key == user_id
    seen_as = visibilities.at(index - 1 if stored.is_state else index) or HistoryVisibility.SHARED.value
    membership = memberships.at(index - 1 if own else index)
    joined_since = memberships.later_has(index - 1 if own else index, "join")
    return may_see(stored.event, user_id, HistoryVisibility(seen_as), membership or None, joined_since)


def _holds(kept: tuple[EventNid | None, Intervals] | None, current: EventNid | None) -> bool:
    return kept is not None and kept[0] == current


def _visibilities_in(history: Iterable[tuple[int, StoredEvent | None]]) -> Iterator[tuple[int, str]]:
    for index, stored in history:
        yield index, history_visibility(None if stored is None else stored.event).value


def _intervals(history: Iterable[tuple[int, str]]) -> Intervals:
    starts: list[int] = []
    values: list[str] = []
    for index, value in history:
        if not values or values[-1] != value:
            starts.append(index)
            values.append(value)
    return Intervals(tuple(starts), tuple(values))
