"""Which state events a room's part of a sync carries.

`state` is what the client must apply before the timeline, `state_after` what holds after it. Either comes from the net
changes of the window, or from the whole state for a room that is new to the client. With lazy loading members are left
out unless the timeline needs them.

Spec: Client-Server API, `GET /sync` and "Lazy-loading room members".
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from core.graph.graph import Graph
from core.graph.stored_event import StoredEvent
from core.ids import EventNid, RoomNid, TextNid, UserNid
from core.storage.state_lines import StateNidKey
from core.sync.asking import Asking
from core.sync.state_changes import StateChanges

EVENTS_AT_ONCE = 250
"""So many events are read, or made into JSON, before others may run."""

Wanted = dict[StateNidKey, int]


class RoomStateChoice:
    """Chooses state events."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def load(self, asking: Asking, rooms: Sequence[RoomNid]) -> None:
        """Read the state events of many rooms together, apart from members, which large rooms have many of."""
        members = self._member_type()
        states = [self._graph.states.current(room).nids() for room in rooms]
        self._graph.events.by_nids([nid for state in states for key, nid in state.items() if key[0] != members])

    def full(
        self,
        asking: Asking,
        room: RoomNid,
        base: Mapping[StateNidKey, EventNid],
        timeline: Sequence[StoredEvent],
        heroes: Collection[UserNid],
    ) -> list[StoredEvent]:
        """All of the state at the start, or after the end, of the timeline; `base` is that after its end."""
        members = self._member_type()
        wanted: Wanted
        if asking.is_lazy:
            wanted = {key: nid for key, nid in base.items() if key[0] != members}
            for user in {*_senders(timeline), asking.viewer.user_nid, *heroes}:
                if (nid := base.get((members, user))) is not None:
                    wanted[members, user] = nid
        else:
            wanted = dict(base)
        if not asking.wants_state_after:
            firsts = _first_changes(timeline)
            replaced = self._graph.states.replaced_by(firsts.values())
            for key, first in firsts.items():
                if first.nid in replaced:
                    wanted[key] = replaced[first.nid]
                else:
                    wanted.pop(key, None)
        return self._chosen(asking, room, wanted, timeline, True)

    def changed(
        self,
        asking: Asking,
        room: RoomNid,
        changes: StateChanges,
        timeline: Sequence[StoredEvent],
        heroes: Collection[UserNid],
    ) -> list[StoredEvent]:
        """What changed since the window began, up to the start, or the end, of the timeline."""
        first_changes = {} if asking.wants_state_after or changes.is_empty else _first_changes(timeline)
        wanted: Wanted = {}
        for key, (old, new) in changes.net.items():
            first = first_changes.get(key)
            if first is None:
                if new and new != old:
                    wanted[key] = new
                continue
            start = self._start(changes, first)
            if start and start != old:
                wanted[key] = start
        if asking.is_lazy:
            self._add_senders(asking, room, wanted, changes, first_changes, {*_senders(timeline), *heroes})
        elif not wanted:
            return []
        return self._chosen(asking, room, wanted, timeline, False)

    def _add_senders(
        self,
        asking: Asking,
        room: RoomNid,
        wanted: Wanted,
        changes: StateChanges,
        first_changes: Mapping[StateNidKey, StoredEvent],
        users: Collection[UserNid],
    ) -> None:
        """The members whom the timeline needs and the device does not have."""
        members = self._member_type()
        current = self._graph.states.current(room).nids()
        is_redundant_wanted = asking.filter.room.state.include_redundant_members
        for user in users:
            key = (members, user)
            if key in wanted:
                continue
            first = first_changes.get(key)
            nid = current.get(key) if first is None else self._start(changes, first)
            if nid and (is_redundant_wanted or not asking.sent.has(room, user, EventNid(nid))):
                wanted[key] = nid

    def _chosen(
        self, asking: Asking, room: RoomNid, wanted: Wanted, timeline: Sequence[StoredEvent], is_full: bool
    ) -> list[StoredEvent]:
        filtered = asking.filter.room.state
        room_id = self._graph.rooms.name(room).room_id
        chosen = [
            stored
            for stored in self._loaded(asking, sorted(wanted.values()))
            if filtered.matches_event(
                stored.type, stored.sender, room_id, stored.content if filtered.contains_url is not None else {}
            )
        ]
        if asking.is_lazy:
            self._note(asking, room, [*chosen, *timeline])
        return chosen

    def _loaded(self, asking: Asking, nids: Sequence[int]) -> Iterator[StoredEvent]:
        """Events by number, in pieces, since the state of a large room holds many."""
        for start in range(0, len(nids), EVENTS_AT_ONCE):
            asking.pause()
            yield from self._graph.events.by_nids(map(EventNid, nids[start : start + EVENTS_AT_ONCE])).values()

    def _note(self, asking: Asking, room: RoomNid, events: Sequence[StoredEvent]) -> None:
        for stored in events:
            if stored.type == "m.room.member" and stored.state_key_nid is not None:
                asking.sent.note(room, stored.state_key_nid, stored.nid)

    def _member_type(self) -> TextNid:
        return self._graph.texts.nid("m.room.member")

    def _start(self, changes: StateChanges, first: StoredEvent) -> int:
        """What the first change of a key in the timeline took the place of; 0 for nothing."""
        replaced = changes.replaced.get((first.nid_key, first.nid))
        return self._value_before(first) if replaced is None else replaced  # None: never current, in a fork

    def _value_before(self, stored: StoredEvent) -> int:
        return self._graph.states.replaced_by((stored,)).get(stored.nid, EventNid(0))


def _first_changes(timeline: Sequence[StoredEvent]) -> dict[StateNidKey, StoredEvent]:
    """The first state event of each key in a timeline."""
    found: dict[StateNidKey, StoredEvent] = {}
    for stored in timeline:
        if stored.is_state:
            found.setdefault(stored.nid_key, stored)
    return found


def _senders(timeline: Sequence[StoredEvent]) -> set[UserNid]:
    return {stored.sender_nid for stored in timeline}
