"""Picks required state out of a room's state, by number. What is wanted is looked up, not searched for, where it can be.

Wildcards over state keys take a look at every key; since nearly all keys of a large room are its members, the others
are kept apart for each state that was looked at.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence

from core.graph.caches import ByteCache
from core.graph.states import RoomState
from core.graph.stored_event import StateRef
from core.ids import EventNid, TextNid
from core.storage.interning import Interner
from core.storage.state_lines import StateNidKey
from core.sync.sliding.required_state import ME, MEMBER, RequiredState

CACHE_BYTES = 16 * 1024 * 1024
"""How much of states without members is kept."""

MOST_KNOWN = 2_000
"""Of so many requests the numbers of what they ask for are kept."""
ASKED_TYPES = (
    "m.room.name",
    "m.room.topic",
    "m.room.avatar",
    "m.room.canonical_alias",
    "m.room.encryption",
    "m.room.power_levels",
    "m.room.join_rules",
    "m.room.history_visibility",
    "m.room.tombstone",
    "m.room.create",
    "m.room.pinned_events",
    "m.space.child",
    "m.space.parent",
    "m.call.member",
    "org.matrix.msc3401.call.member",
    "io.element.functional_members",
    "m.member_hints",
    "m.beacon_info",
    "org.matrix.msc3672.beacon_info",
    "org.matrix.msc3489.beacon_info",
)
"""What clients ask for in every room: interned at the start, since looking up what is not asks the database each time."""

Entries = Mapping[StateNidKey, EventNid]


class StateChoice:
    """Chooses."""

    def __init__(self, texts: Interner) -> None:
        self._texts = texts
        self._known: OrderedDict[tuple[RequiredState, str], Sequence[StateNidKey]] = OrderedDict()
        self._others: ByteCache[StateRef, dict[StateNidKey, EventNid]] = ByteCache(CACHE_BYTES)
        texts.nids(ASKED_TYPES)
        self.member_type: TextNid = texts.nid(MEMBER)

    def of(self, state: RoomState, required: RequiredState, me: str) -> dict[StateNidKey, EventNid]:
        """The events of `state` that are required, lazy members apart. `me` is the asker's id."""
        entries = state.nids()
        if required.is_everything:
            return dict(entries)
        find = self._texts.find
        found: dict[StateNidKey, EventNid] = {}
        for place in self._places(required, me):
            nid = entries.get(place)
            if nid is not None:
                found[place] = nid
        if required.types or required.keys:
            types = {find(type_) for type_ in required.types}
            keys = {find(me if key == ME else key) for key in required.keys}
            searched = entries if required.is_scattered else self._without_members(state, entries)
            for place, nid in searched.items():
                if place[0] in types or place[1] in keys:
                    found[place] = nid
        return found

    def matches(self, key: StateNidKey, required: RequiredState, me: str) -> bool:
        """Whether one state key is required."""
        return required.matches(self._texts.text(key[0]), self._texts.text(key[1]), me)

    def _places(self, required: RequiredState, me: str) -> Sequence[StateNidKey]:
        """The numbers of the pairs that are known here; kept once all are, since one number never becomes another."""
        places = self._known.get((required, me))
        if places is None:
            find = self._texts.find
            numbers = [(find(type_), find(me if key == ME else key)) for type_, key in required.pairs]
            places = [(type_, key) for type_, key in numbers if type_ is not None and key is not None]
            if len(places) == len(numbers):
                self._known[required, me] = places
                if len(self._known) > MOST_KNOWN:
                    self._known.popitem(last=False)
        return places

    def _without_members(self, state: RoomState, entries: Entries) -> Entries:
        known = None if state.ref is None else self._others.get(state.ref)
        if known is None:
            members = self.member_type
            known = {key: nid for key, nid in entries.items() if key[0] != members}
            if state.ref is not None:
                self._others.put(state.ref, known, 300 + 150 * len(known))
        return known
