"""Works through the queues of PDUs, room by room, each in a greenlet of its own while it has something to do.

A PDU leaves its queue when it is in the graph, or when it turned out that it cannot be; so a server that is killed goes on
where it was. What happens in one room does not hold up another.
Spec: Server-Server API, "PDUs", "Checks performed on receipt of a PDU".
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import gevent
from gevent.pool import Pool

from core.errors import EventRefused
from core.events.event import Event
from core.events.formats import parse_event
from core.federation.gaps import Gaps
from core.federation.inbound_batch import Batch
from core.federation.welcome import Welcome
from core.graph.graph import Graph
from core.graph.stored_event import load_pdu
from core.ids import EventId, RoomNid, ServerName
from core.storage.inbound_staging import InboundStagingStore, Staged
from core.storage.rooms import RoomName

EVENTS_PER_BATCH = 100
"""How many PDUs of a room are put into the graph at once."""
BUSY_ROOMS = 40
"""How many rooms are worked on at the same time; most of them wait for other servers."""
PARSED_EVENTS = 2_000
"""How many staged events are kept parsed."""
RETRY_SECONDS = 5.0
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 300.0
MOST_ATTEMPTS = 300
"""How often a PDU is tried whose past is at servers that do not answer: about a day long."""


@dataclass(slots=True)
class _Postponed:
    """A PDU that is tried again `at` a time of the monotonic clock."""

    attempts: int = 0
    at: float = 0.0


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
        self._postponed: dict[int, _Postponed] = {}
        """By number in the queue."""
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
                wait = self._go_through(room)
                if wait is not None:
                    gevent.spawn_later(wait, self._wake, room)
                if room not in self._again:
                    return
        except Exception:
            logger.exception("What was sent to room %d could not be dealt with; it is tried again.", room)
            gevent.spawn_later(RETRY_SECONDS, self._wake, room)
        finally:
            self._busy.discard(room)

    def _go_through(self, room: RoomNid) -> float | None:
        """Deal with a room's queue; in how many seconds to come again for what was postponed, None for nothing."""
        name, after = self._graph.rooms.name(room), 0
        waits: list[float] = []
        while staged := self._staging.first(room, EVENTS_PER_BATCH, after):
            after = staged[-1][0]
            now = time.monotonic()
            due = [one for one in staged if one[0] not in self._postponed or self._postponed[one[0]].at <= now]
            postponed = self._admit(name, due) if due else {}
            left = {number for number, event_id, _, _ in due if event_id in postponed and self._postpone(number)}
            for number, event_id, _, _ in due:
                if number not in left:
                    self._postponed.pop(number, None)
                    if event_id in postponed:
                        logger.info("%s of %s is given up: %s", event_id, name.room_id, postponed[event_id])
            self._staging.remove([one[0] for one in due if one[0] not in left])
            waits += [self._postponed[one[0]].at - now for one in staged if one[0] in self._postponed]
        return max(min(waits), FIRST_PAUSE_SECONDS / 2) if waits else None

    def _postpone(self, number: int) -> bool:
        """Try it again after ever longer pauses; False where it was tried often enough."""
        postponed = self._postponed.setdefault(number, _Postponed())
        pause = min(FIRST_PAUSE_SECONDS * 2 ** min(postponed.attempts, 16), LONGEST_PAUSE_SECONDS)
        postponed.attempts += 1
        postponed.at = time.monotonic() + pause
        return postponed.attempts < MOST_ATTEMPTS

    def _admit(self, room: RoomName, staged: Sequence[Staged]) -> Mapping[EventId, str]:
        """Put staged PDUs into the graph; those that are to be tried again, and why."""
        events: dict[EventId, Event] = {}
        origins: dict[EventId, ServerName] = {}
        for _, event_id, origin, pdu in staged:
            event = self._parsed.pop(event_id, None) or _parse(room, event_id, pdu)
            if event is not None:
                events[event_id], origins[event_id] = event, origin
        batch = Batch(self._graph, self._gaps, self._welcome, room, events, origins, staged[0][2])
        batch.admit()
        if batch.has_gap:
            self._on_gap(room)
        return batch.postponed


def _parse(room: RoomName, event_id: EventId, pdu: bytes) -> Event | None:
    """A staged PDU, which was checked before it was staged."""
    try:
        return parse_event(load_pdu(pdu, room.version), room.version, event_id)
    except EventRefused as refused:
        logger.warning("The staged event %s cannot be read: %s", event_id, refused.sentence)
        return None
