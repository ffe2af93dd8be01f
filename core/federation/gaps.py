"""What is missing under an event that another server sent: fetched from it, or the state there instead.

Spec: Server-Server API, "Backfilling and retrieving missing events".
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable

from core.errors import MatrixError
from core.events.event import Event
from core.federation.calls import GraphCalls
from core.federation.calls.graph_calls import Pdu
from core.federation.outliers import Outliers
from core.federation.received import ReceivedEvents
from core.federation.remote_errors import may_pass
from core.graph.graph import Graph
from core.ids import EventId, ServerName, StateKey
from core.storage.database import Database
from core.storage.extremities import ExtremityStore
from core.storage.rooms import RoomName

EVENTS_PER_QUESTION = 20
"""How many missing events are asked for at once."""
SINGLE_EVENTS = 30
"""Up to so many events of a state are fetched one by one; of more the whole state is."""
MAX_STATE_EVENTS = 100_000

logger = logging.getLogger(__name__)


class Gaps:
    """Fetches. Everything that comes back has been checked, but for authorization."""

    def __init__(
        self, graph: Graph, calls: GraphCalls, received: ReceivedEvents, outliers: Outliers, database: Database
    ) -> None:
        self._graph = graph
        self._calls = calls
        self._received = received
        self._outliers = outliers
        self._database = database
        self._extremities = ExtremityStore(database)

    def before(self, server: ServerName, room: RoomName, event: Event) -> list[Event]:
        """Some of what lies between what we have and `event`; nothing where the server has no more to say.

        What is older than our own first event of the room is history, which comes by other ways.
        """
        nids = self._extremities.of(self._database, (room.room_nid,))[room.room_nid]
        earliest = [stored.event_id for stored in self._graph.events.by_nids(nids).values()]
        first = self._graph.history.first_live(room.room_nid)
        depth = 0 if first is None else first.event.depth
        pdus = self._calls.missing_events(server, room.room_id, [event.event_id], earliest, EVENTS_PER_QUESTION, depth)
        checked = self._received.check(pdus[:EVENTS_PER_QUESTION], room.version, room.room_id)
        return [event for event in checked.events if event.depth >= depth and event.prev_event_ids]

    def auth_events(self, server: ServerName, room: RoomName, event: Event, missing: Collection[EventId]) -> None:
        """Put the auth events that an event lacks, and theirs, into the graph, as far as they can be had.

        Raises MatrixError where the server does not answer now.
        """
        try:
            pdus: Iterable[Pdu] = self._calls.event_auth(server, room.room_id, event.event_id)
        except MatrixError as error:
            if may_pass(error):
                raise
            pdus = self._singly(server, missing)
        self._outliers.keep(room.room_nid, self._received.check(pdus, room.version, room.room_id).events)

    def state_before(self, server: ServerName, room: RoomName, event: Event) -> dict[StateKey, EventId]:
        """The state before an event as the server says, all of it in the graph now. Raises MatrixError."""
        ids = self._calls.state_ids(server, room.room_id, event.event_id)
        wanted = dict.fromkeys([*ids.state, *ids.auth_chain][:MAX_STATE_EVENTS])
        known = self._outliers.known(wanted)
        missing = [event_id for event_id in wanted if event_id not in known]
        if len(missing) > SINGLE_EVENTS:
            state = self._calls.state(server, room.room_id, event.event_id)
            pdus: Iterable[Pdu] = [*state.auth_chain, *state.state]
        else:
            pdus = self._singly(server, missing)
        checked = self._received.check(pdus, room.version, room.room_id)
        self._outliers.keep(room.room_nid, [one for one in checked.events if one.event_id in wanted])
        found: dict[StateKey, EventId] = {}
        for stored in self._graph.events.by_ids(list(dict.fromkeys(ids.state))).values():
            if stored.is_state and stored.room_nid == room.room_nid:
                found[stored.type, stored.state_key or ""] = stored.event_id
        return found

    def _singly(self, server: ServerName, event_ids: Collection[EventId]) -> list[Pdu]:
        found: list[Pdu] = []
        for event_id in event_ids:
            try:
                pdu = self._calls.event(server, event_id)
            except MatrixError as error:
                if may_pass(error):
                    raise
                logger.info("%s has no %s for us: %s", server, event_id, error.sentence)
            else:
                found += [] if pdu is None else [pdu]
        return found
