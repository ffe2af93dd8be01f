"""A naive oracle: what a room's states must be, worked out from the whole graph, without lines, caches or numbers."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from core.errors import AuthRuleViolation
from core.events.auth_rules import authorize, check_auth_events
from core.events.event import Event
from core.events.room_versions import RoomVersion
from core.events.state_resolution import resolve
from core.graph.stored_event import Place, Verdict
from core.ids import EventId, StateKey

State = dict[StateKey, EventId]


class Oracle:
    """One room as one server has seen it."""

    def __init__(self, version: RoomVersion) -> None:
        self.version = version
        self.known: dict[EventId, Event] = {}
        self.place: dict[EventId, Place] = {}
        self.verdict: dict[EventId, Verdict] = {}
        self.fetched: dict[EventId, State | None] = {}
        self._before: dict[EventId, State | None] = {}
        self.entrance: EventId | None = None

    def add(
        self,
        event: Event,
        place: Place,
        fetched: Mapping[StateKey, EventId] | None = None,
        is_entrance: bool = False,
        verdict: Verdict | None = None,
    ) -> None:
        """Note an event in the order in which the server got it, and judge it where no verdict is given."""
        self.known.pop(event.event_id, None)
        self.known[event.event_id] = event
        if fetched is not None:
            self.fetched[event.event_id] = {
                key: one for key, one in fetched.items() if one in self.known and not self.is_rejected(one)
            }
        if verdict is not None:
            self.place[event.event_id], self.verdict[event.event_id] = place, verdict
            return
        current = self.current() if place is Place.LIVE else None
        if is_entrance:
            self.entrance = event.event_id
        self.place[event.event_id] = place
        self.verdict[event.event_id] = self._judge(
            event, place, self.fetched[event.event_id] if is_entrance else current
        )

    def before(self, one: EventId) -> State | None:
        """The state before an event, or None where it cannot be known."""
        if one not in self._before:
            self._before[one] = self._work_out(one)
        return self._before[one]

    def after(self, one: EventId) -> State | None:
        """The state after an event."""
        before, event = self.before(one), self.known[one]
        if before is None or not event.is_state or self.is_rejected(one):
            return before
        return {**before, event.key: one}

    def extremities(self) -> set[EventId]:
        """The live accepted events that no live accepted event follows, directly or through others."""
        live = [one for one in self.known if self._is_live(one)]
        if self.entrance is not None:
            live = live[live.index(self.entrance) :]
        spent: set[EventId] = set()
        for one in live:
            waiting, seen = list(self.known[one].prev_event_ids), set()
            while waiting:
                prev = waiting.pop()
                if prev in seen or self.place.get(prev, Place.OUTLIER) is Place.OUTLIER:
                    continue
                seen.add(prev)
                spent.add(prev)
                if self.verdict[prev] is not Verdict.ACCEPTED:
                    waiting += self.known[prev].prev_event_ids
        return set(live) - spent

    def current(self) -> State:
        """The resolution of the states after the extremities."""
        return self._resolve(self.extremities())

    def is_rejected(self, one: EventId) -> bool:
        """Whether the event was rejected; also what state resolution asks."""
        return self.verdict.get(one) is Verdict.REJECTED

    def events(self, ids: Collection[EventId]) -> dict[EventId, Event]:
        """For state resolution."""
        return {one: self.known[one] for one in ids if one in self.known}

    def auth_edges(self, ids: Collection[EventId]) -> dict[EventId, tuple[EventId, ...]]:
        """For state resolution."""
        return {one: self.known[one].auth_event_ids for one in ids if one in self.known}

    def _is_live(self, one: EventId) -> bool:
        return self.place.get(one) is Place.LIVE and self.verdict[one] is Verdict.ACCEPTED

    def _work_out(self, one: EventId) -> State | None:
        if self.place.get(one, Place.LIVE) is Place.OUTLIER:
            return None
        if one in self.fetched:
            return self.fetched[one]
        prevs = self.known[one].prev_event_ids
        if any(self.place.get(prev, Place.OUTLIER) is Place.OUTLIER or self.before(prev) is None for prev in prevs):
            return None
        return self._resolve(prevs)

    def _resolve(self, ids: Collection[EventId]) -> State:
        states = [self.after(one) for one in sorted(ids)]
        return resolve(self.version, [state for state in states if state is not None], self)

    def _judge(self, event: Event, place: Place, current: State | None) -> Verdict:
        listed = [self.known[one] for one in event.auth_event_ids]
        by_key = {one.key: one for one in listed if one.is_state}
        if self.version.room_id_is_create_hash and event.type != "m.room.create":
            by_key["m.room.create", ""] = self.known[EventId("$" + event.room_id[1:])]
        before = self.before(event.event_id)
        try:
            check_auth_events(event, listed, self.is_rejected)
            authorize(event, lambda kind, key: by_key.get((kind, key)))
            if before is not None:
                authorize(event, self._lookup(before))
        except AuthRuleViolation:
            return Verdict.REJECTED
        if place is Place.LIVE and current is not None and before is not None:
            try:
                authorize(event, self._lookup(current))
            except AuthRuleViolation:
                return Verdict.SOFT_FAILED
        return Verdict.ACCEPTED

    def _lookup(self, state: State):
        return lambda kind, key: self.known[state[kind, key]] if (kind, key) in state else None
