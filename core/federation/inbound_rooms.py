"""Works through the queues of PDUs, room by room, each in a greenlet of its own while it has something to do.

A PDU leaves its queue when it is in the graph, or when it turned out that it cannot be; so a server that is killed goes on
where it was. What happens in one room does not hold up another.
Spec: Server-Server API, "PDUs", "Checks performed on receipt of a PDU".
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence

import gevent
from gevent.pool import Pool

from core.errors import EventRefused, MatrixError
from core.events.event import Event
from core.events.formats import parse_event
from core.federation.gaps import Gaps
from core.federation.outliers import in_order
from core.federation.welcome import Welcome
from core.graph.appending.admission import Admission
from core.graph.graph import Graph
from core.graph.missing import MissingAuthEvents, MissingEvents
from core.graph.stored_event import load_pdu
from core.ids import EventId, RoomNid, ServerName, StateKey
from core.storage.inbound_staging import InboundStagingStore, Staged
from core.storage.rooms import RoomName

EVENTS_PER_BATCH = 100
"""How many PDUs of a room are put into the graph at once."""
BUSY_ROOMS = 40
"""How many rooms are worked on at the same time; most of them wait for other servers."""
MISSING_ROUNDS = 3
"""How often missing events are asked for in one batch, before the state at the gap is."""
PARSED_EVENTS = 2_000
"""How many staged events are kept parsed."""
RETRY_SECONDS = 5.0

logger = logging.getLogger(__name__)


class InboundRooms:
    """The queues' workers; `start` takes up what was left, `stop` ends them."""

    def __init__(
        self,
        graph: Graph,
        staging: InboundStagingStore,
        gaps: Gaps,
        welcome: Welcome,
        on_gap: Callable[[RoomName], None],
    ) -> None:
        """`on_gap` is told of rooms in which history is missing now; it must not wait."""
        self._graph = graph
        self._welcome = welcome
        self._on_gap = on_gap
        self._staging = staging
        self._gaps = gaps
        self._pool = Pool(BUSY_ROOMS)
        self._busy: set[RoomNid] = set()
        self._again: set[RoomNid] = set()
        self._parsed: OrderedDict[EventId, Event] = OrderedDict()
        self._is_stopping = False

    def start(self) -> None:
        """Go on with what was staged before."""
        for room in self._staging.rooms():
            self._wake(room)

    def stop(self) -> None:
        """Leave the rest for the next start."""
        self._is_stopping = True
        self._pool.kill()

    def stage(self, room: RoomNid, origin: ServerName, events: Sequence[Event], pdus: Sequence[bytes]) -> None:
        """Put checked events into a room's queue; durable when it returns."""
        rows = [(room, event.event_id, origin, pdu) for event, pdu in zip(events, pdus, strict=True)]
        self._staging.add(rows)
        for event in events:
            self._parsed[event.event_id] = event
        while len(self._parsed) > PARSED_EVENTS:
            self._parsed.popitem(last=False)
        self._wake(room)

    def _wake(self, room: RoomNid) -> None:
        if self._is_stopping:
            return
        if room in self._busy:
            self._again.add(room)
            return
        self._busy.add(room)
        gevent.spawn(self._pool.spawn, self._work, room)

    def _work(self, room: RoomNid) -> None:
        try:
            while not self._is_stopping:
                self._again.discard(room)
                staged = self._staging.first(room, EVENTS_PER_BATCH)
                if staged:
                    self._admit(self._graph.rooms.name(room), staged)
                    self._staging.remove([one[0] for one in staged])
                elif room not in self._again:
                    return
        except Exception:
            logger.exception("What was sent to room %d could not be dealt with; it is tried again.", room)
            gevent.spawn_later(RETRY_SECONDS, self._wake, room)
        finally:
            self._busy.discard(room)

    def _admit(self, room: RoomName, staged: Sequence[Staged]) -> None:
        """Put staged PDUs into the graph: first those of one origin, then of the next."""
        events: dict[EventId, Event] = {}
        origins: dict[EventId, ServerName] = {}
        for _, event_id, origin, pdu in staged:
            event = self._parsed.pop(event_id, None) or _parse(room, event_id, pdu)
            if event is not None:
                events[event_id], origins[event_id] = event, origin
        batch = _Batch(self._graph, self._gaps, self._welcome, room, events, origins, staged[0][2])
        batch.admit()
        if batch.has_gap:
            self._on_gap(room)


class _Batch:
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

    def _or_drop(self, missing: MissingEvents, fetch) -> None:  # type: ignore[no-untyped-def]  # a method of this class
        event = self._events[missing.event_id]
        try:
            fetch(self._origins.get(event.event_id, self._origin), event, missing)
        except MatrixError as error:
            logger.info("%s of %s is dropped: %s", event.event_id, self._room.room_id, error.sentence)
            del self._events[event.event_id]

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


def _parse(room: RoomName, event_id: EventId, pdu: bytes) -> Event | None:
    """A staged PDU, which was checked before it was staged."""
    try:
        return parse_event(load_pdu(pdu, room.version), room.version, event_id)
    except EventRefused as refused:
        logger.warning("The staged event %s cannot be read: %s", event_id, refused.sentence)
        return None
