"""State resolution 2 and 2.1 as the specification words them, with whole sets and no care for cost: the referee.

Written from the text alone and sharing nothing with core.events.state_resolution but the auth rules and power levels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.errors import AuthRuleViolation
from core.events.auth_rules import authorize
from core.events.event import Event
from core.events.power_levels import PowerLevels
from core.events.room_versions import RoomVersion, StateResolution
from core.ids import EventId, StateKey

State = dict[StateKey, EventId]
POWER = ("m.room.power_levels", "")
CREATE = ("m.room.create", "")


class NaiveResolution:
    """One resolution over all events of a room."""

    def __init__(self, version: RoomVersion, events: Mapping[EventId, Event], rejected: set[EventId]) -> None:
        self.version, self.all, self.rejected = version, events, rejected
        self.create = next((one for one, event in events.items() if event.type == "m.room.create"), None)

    def resolve(self, states: Sequence[State]) -> State:
        keys = {key for state in states for key in state}
        rows = {key: {state.get(key) for state in states} for key in keys}
        unconflicted = {key: one for key, row in rows.items() if len(row) == 1 for one in row if one is not None}
        conflicted = {one for key, row in rows.items() if len(row) > 1 for one in row if one is not None}
        if not conflicted:
            return unconflicted
        chains = [set(state.values()) | self.chain(set(state.values())) for state in states]
        full = conflicted | (set.union(*chains) - set.intersection(*chains))
        start: State = dict(unconflicted)
        if self.version.state_resolution is StateResolution.V2_1:
            full |= {one for one in self.chain(conflicted) if self.chain({one}) & conflicted}
            start = {}
        power = {one for one in full if self.is_power(self.all[one])}
        first = power | self.chain_within(power, full)
        partial = self.iterate(start, self.power_order(first))
        rest = sorted(full - first, key=lambda one: self.mainline_key(one, partial.get(POWER)))
        return self.iterate(partial, rest) | unconflicted

    def chain(self, roots: set[EventId]) -> set[EventId]:
        found: set[EventId] = set()
        for one in roots:
            new = set(self.all[one].auth_event_ids) - found
            while new:
                found |= new
                new = {auth for other in new for auth in self.all[other].auth_event_ids} - found
        return found

    def chain_within(self, roots: set[EventId], full: set[EventId]) -> set[EventId]:
        """As deployed servers do: not through events outside of the full conflicted set."""
        found = set(roots)
        for _ in full:
            found |= {auth for one in found for auth in self.all[one].auth_event_ids if auth in full}
        return found

    @staticmethod
    def is_power(event: Event) -> bool:
        if event.key in (POWER, CREATE, ("m.room.join_rules", "")):
            return True
        removes = event.content.get("membership") in ("leave", "ban")
        return event.type == "m.room.member" and removes and event.sender != event.state_key

    def power_order(self, ids: set[EventId]) -> list[EventId]:
        ordered: list[EventId] = []
        while len(ordered) < len(ids):
            ready = [
                one for one in ids if one not in ordered and not set(self.all[one].auth_event_ids) & ids - set(ordered)
            ]
            ordered.append(min(ready, key=self.power_key))
        return ordered

    def power_key(self, one: EventId) -> tuple[float, int, str]:
        event = self.all[one]
        cited = {self.all[auth].key: self.all[auth] for auth in event.auth_event_ids}
        create = cited.get(CREATE)
        if create is None and self.version.room_id_is_create_hash and self.create is not None:
            create = self.all[self.create]
        if create is None:
            return 0, event.origin_server_ts, one
        levels = PowerLevels.from_events(create, cited.get(POWER))
        return -levels.of_user(event.sender), event.origin_server_ts, one

    def power_parents(self, one: EventId | None) -> list[EventId]:
        """The power levels event of the auth events, its own, and so on."""
        parents: list[EventId] = []
        while one is not None:
            auth = self.all[one].auth_event_ids
            one = next((other for other in auth if self.all[other].key == POWER), None)
            if one is not None:
                parents.append(one)
        return parents

    def mainline_key(self, one: EventId, power: EventId | None) -> tuple[float, int, str]:
        mainline = [power, *self.power_parents(power)]
        place = next((mainline.index(other) for other in self.power_parents(one) if other in mainline), None)
        return float("-inf") if place is None else -place, self.all[one].origin_server_ts, one

    def iterate(self, start: State, ordered: Sequence[EventId]) -> State:
        state = dict(start)
        for one in ordered:
            event = self.all[one]
            known = {self.all[auth].key: auth for auth in event.auth_event_ids if auth not in self.rejected} | state
            if self.version.room_id_is_create_hash and self.create is not None:
                known.setdefault(CREATE, self.create)

            def look_up(event_type: str, state_key: str, known: State = known) -> Event | None:
                found = known.get((event_type, state_key))
                return None if found is None else self.all[found]

            try:
                authorize(event, look_up)
            except AuthRuleViolation:
                continue
            state[event.key] = one
        return state
