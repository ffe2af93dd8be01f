"""History that is missing here, fetched from servers that have it and put in its place.

Events of the past are judged by their auth events and, as far as it is known, the state before them; nothing current
changes by them. The state before the oldest of a batch is asked for, so that the others' follows from it.
Spec: Server-Server API, "Backfilling and retrieving missing events".
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence

from core.errors import MatrixError, NotFound
from core.events.event import Event
from core.federation.calls import GraphCalls
from core.federation.gaps import Gaps
from core.federation.outliers import in_order
from core.federation.received import ReceivedEvents
from core.federation.signed_client import Patience
from core.graph.appending.admission import Admission
from core.graph.graph import Graph
from core.graph.history import Gap
from core.graph.missing import MissingAuthEvents
from core.graph.stored_event import Place
from core.ids import EventId, ServerName, StateKey
from core.storage.rooms import RoomName

EVENTS_PER_QUESTION = 100
"""How many events are asked for at once, and put into the graph at once."""
NAMED_PER_QUESTION = 20
"""How many missing events a question names."""
STATES_PER_BATCH = 3
"""For how many events of a batch the state before them is asked for; others have none."""
PATIENCE = Patience(15_000, 0, 0)
DEEPEST_HINT = 2**31

logger = logging.getLogger(__name__)


class Backfill:
    """Fetches and places. Raises MatrixError where a server does not help."""

    def __init__(self, graph: Graph, calls: GraphCalls, received: ReceivedEvents, gaps: Gaps) -> None:
        self._graph = graph
        self._calls = calls
        self._received = received
        self._gaps = gaps

    def before(self, server: ServerName, room: RoomName, gap: Gap) -> int:
        """Fetch what comes before a gap; how many events are new."""
        named = list(gap.missing)[:NAMED_PER_QUESTION]
        pdus = self._calls.backfill(server, room.room_id, named, EVENTS_PER_QUESTION, PATIENCE)
        events = self._new(self._received.check(pdus[:EVENTS_PER_QUESTION], room.version, room.room_id).events)
        self._place(server, room, events)
        return len(self._placed([event.event_id for event in events]))

    def one(self, server: ServerName, room: RoomName, event_id: EventId) -> bool:
        """Fetch one event that nothing known may lead to; whether it has a place now."""
        pdu = self._calls.event(server, event_id, PATIENCE)
        if pdu is None:
            raise NotFound(f"{server} has no event {event_id}.")
        event = self._received.one(pdu, room.version, room.room_id, event_id)
        self._place(server, room, self._new([event]), self._depth_hint(room, event))
        return bool(self._placed([event_id]))

    def _place(self, server: ServerName, room: RoomName, events: Sequence[Event], below: int = 1) -> None:
        left = {event.event_id: event for event in in_order(events)}
        states = self._states(server, room, list(left.values()))
        asked: set[EventId] = set()
        while left:
            admissions = [
                Admission(event, Place.BACKFILLED, state=states.get(event_id), below=below)
                for event_id, event in left.items()
            ]
            try:
                self._graph.write.append(room.room_nid, admissions)
            except MissingAuthEvents as missing:
                event = left[missing.event_id]
                if event.event_id in asked or not self._has_fetched_auth(server, room, event, missing.missing):
                    logger.info("%s is no history of ours: its auth events are not to be had.", event.event_id)
                    del left[event.event_id]
                asked.add(event.event_id)
            else:
                return

    def _has_fetched_auth(self, server: ServerName, room: RoomName, event: Event, missing: Collection[EventId]) -> bool:
        try:
            self._gaps.auth_events(server, room, event, missing)
        except MatrixError as error:
            logger.info("%s does not tell the auth events of %s: %s", server, event.event_id, error.sentence)
            return False
        return True

    def _states(
        self, server: ServerName, room: RoomName, ordered: Sequence[Event]
    ) -> dict[EventId, Mapping[StateKey, EventId]]:
        """The states before those events of a batch whose prev events have none."""
        follows: set[EventId] = set()
        found: dict[EventId, Mapping[StateKey, EventId]] = {}
        known = self._graph.events.by_ids([prev for event in ordered for prev in event.prev_event_ids])
        follows |= {one.event_id for one in known.values() if one.before is not None}
        for event in ordered:
            if not all(prev in follows for prev in event.prev_event_ids):
                if len(found) >= STATES_PER_BATCH or not (state := self._state(server, room, event)):
                    continue
                found[event.event_id] = state
            follows.add(event.event_id)
        return found

    def _state(self, server: ServerName, room: RoomName, event: Event) -> dict[StateKey, EventId]:
        try:
            return self._gaps.state_before(server, room, event)
        except MatrixError as error:
            logger.info("%s does not tell the state before %s: %s", server, event.event_id, error.sentence)
            return {}

    def _new(self, events: Sequence[Event]) -> list[Event]:
        placed = self._placed([event.event_id for event in events])
        return [event for event in events if event.event_id not in placed]

    def _placed(self, event_ids: Sequence[EventId]) -> set[EventId]:
        return {one.event_id for one in self._graph.events.by_ids(event_ids).values() if not one.is_outlier}

    def _depth_hint(self, room: RoomName, event: Event) -> int:
        """How far below the oldest known event one belongs that nothing known follows, by what the two claim."""
        oldest = self._graph.history.page(room.room_nid, self._graph.history.start(), False, 1).events
        claimed = oldest[0].event.depth - event.depth if oldest else 1
        return max(1, min(int(claimed), DEEPEST_HINT))
