"""Some PDUs of one room on their way into the graph: what they rest on and what lies between is fetched where it is missing.

What cannot be placed is dropped. What could not be placed for the moment, since the server that has the rest does not
answer, is left for another time (`postponed`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from core.errors import EventRefused, MatrixError
from core.events.event import Event
from core.federation.gaps import Gaps
from core.federation.outliers import in_order
from core.federation.remote_errors import may_pass
from core.federation.welcome import Welcome
from core.graph.appending.admission import Admission
from core.graph.graph import Graph
from core.graph.missing import MissingAuthEvents, MissingEvents
from core.ids import EventId, ServerName, StateKey
from core.storage.rooms import RoomName

MISSING_ROUNDS = 3
"""How often missing events are asked for in one batch, before the state at the gap is."""

Fetch = Callable[[ServerName, Event, MissingEvents], None]

logger = logging.getLogger(__name__)


class Batch:
    """Events on their way into one room."""

    def __init__(
        self,
        graph: Graph,
        gaps: Gaps,
        welcome: Welcome,
        room: RoomName,
        events: dict[EventId, Event],
        origins: dict[EventId, ServerName],
        origin: ServerName,
    ) -> None:
        """`origins` says who sent which event; `origin` sent those it does not name."""
        self.postponed: dict[EventId, str] = {}
        """Events that could not be placed for the moment, and why."""
        self._graph = graph
        self._gaps = gaps
        self._welcome = welcome
        self._room = room
        self._events = events
        self._unjudged = set(events)
        self._unwelcome: set[EventId] = set()
        self._origins = origins
        self._origin = origin
        self._states: dict[EventId, dict[StateKey, EventId]] = {}
        self._asked_auth: set[EventId] = set()
        self._rounds = 0

    @property
    def has_gap(self) -> bool:
        """Whether the state before an event was fetched, since too much before it is missing."""
        return bool(self._states)

    def admit(self) -> None:
        """Append all, fetching what is missing; what cannot be placed is dropped, once, with a line in the log."""
        while self._events:
            ordered = in_order(list(self._events.values()))
            self._judge()
            admissions = [self._admission(self._events[event.event_id]) for event in ordered]
            try:
                appended = self._graph.write.append(self._room.room_nid, admissions)
            except MissingAuthEvents as missing:
                self._or_drop(missing, self._fetch_auth)
            except MissingEvents as missing:
                self._or_drop(missing, self._fill)
            else:
                for event_id, violation in appended.refused.items():
                    logger.info("%s of %s was refused: %s", event_id, self._room.room_id, violation.sentence)
                return

    def _judge(self) -> None:
        """Find out which of the events that are new here nobody is to see."""
        new = {event_id: self._events[event_id] for event_id in self._unjudged if event_id in self._events}
        self._unjudged.clear()
        if new:
            origins = {event_id: self._origins.get(event_id, self._origin) for event_id in new}
            self._unwelcome |= self._welcome.judge(self._room, new, origins)
            self._events.update(new)

    def _admission(self, event: Event) -> Admission:
        is_unwelcome = event.event_id in self._unwelcome
        return Admission(event, state=self._states.get(event.event_id), is_unwelcome=is_unwelcome)

    def _or_drop(self, missing: MissingEvents, fetch: Fetch) -> None:
        event = self._events[missing.event_id]
        try:
            fetch(self._origins.get(event.event_id, self._origin), event, missing)
        except MatrixError as error:
            del self._events[event.event_id]
            if may_pass(error):
                self.postponed[event.event_id] = error.sentence
            else:
                logger.info("%s of %s is dropped: %s", event.event_id, self._room.room_id, error.sentence)

    def _fetch_auth(self, server: ServerName, event: Event, missing: MissingEvents) -> None:
        if event.event_id in self._asked_auth:
            raise EventRefused("Its auth events are not to be had.")
        self._asked_auth.add(event.event_id)
        self._gaps.auth_events(server, self._room, event, missing.missing)

    def _fill(self, server: ServerName, event: Event, missing: MissingEvents) -> None:
        if event.event_id in self._states:
            raise EventRefused("The state before it is not to be had.")
        if self._rounds < MISSING_ROUNDS:
            self._rounds += 1
            if self._add(server, self._missing(server, event)):
                return
        self._states[event.event_id] = self._gaps.state_before(server, self._room, event)

    def _missing(self, server: ServerName, event: Event) -> list[Event]:
        try:
            return self._gaps.before(server, self._room, event)
        except MatrixError as error:
            if may_pass(error):
                raise
            logger.info("%s does not say what came before %s: %s", server, event.event_id, error.sentence)
            return []

    def _add(self, server: ServerName, events: Sequence[Event]) -> bool:
        """Take fetched events up; whether any is new."""
        new = [event for event in events if event.event_id not in self._events]
        placed = self._graph.events.by_ids([event.event_id for event in new])
        new = [event for event in new if event.event_id not in placed or placed[event.event_id].is_outlier]
        for event in new:
            self._events[event.event_id] = event
            self._origins[event.event_id] = server
            self._unjudged.add(event.event_id)
        return bool(new)
