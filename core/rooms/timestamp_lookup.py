"""The event nearest to a time, as far as the requester may see it.

Spec: Client-Server API, GET /rooms/{roomId}/timestamp_to_event.
"""

from __future__ import annotations

from core.errors import NotFound
from core.graph.graph import Graph
from core.graph.stored_event import StoredEvent
from core.graph.viewing import Viewing
from core.ids import EventNid, Requester, RoomId
from core.rooms.access import RoomAccess
from core.storage.event_times import EventTimeStore

EVENTS_AT_ONCE = 20
READS = 25
"""How many times further events are looked at where the requester may not see those before."""
_LARGEST_NID = 2**62


class TimestampLookup:
    """Finds events by time."""

    def __init__(self, graph: Graph, access: RoomAccess, viewing: Viewing, times: EventTimeStore) -> None:
        self._graph = graph
        self._access = access
        self._viewing = viewing
        self._times = times

    def nearest(self, requester: Requester, room_id: RoomId, ts: int, backwards: bool) -> StoredEvent:
        """The event closest to `ts` (milliseconds) at or before it, or at or after it. Raises NotFound, Forbidden."""
        sight = self._access.sight(requester, room_id)
        room = sight.room.room_nid
        time, nid = ts, EventNid(_LARGEST_NID if backwards else -1)
        for _ in range(READS):
            rows = self._times.nearest(room, time, nid, backwards, EVENTS_AT_ONCE)
            events = list(self._graph.events.by_nids(row[0] for row in rows).values())
            if sight.left_at is not None:
                events = [stored for stored in events if stored.main_index <= (sight.left_at or 0)]
            visible = self._viewing.visible(events, requester.user_nid, requester.user_id)
            if visible:
                return visible[0]
            if len(rows) < EVENTS_AT_ONCE:
                break
            nid, time = rows[-1]
        raise NotFound(f"The room has no event {'at or before' if backwards else 'at or after'} {ts} that you may see.")
