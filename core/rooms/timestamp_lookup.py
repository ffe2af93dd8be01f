"""The event nearest to a time, as far as the requester may see it.

Spec: Client-Server API, GET /rooms/{roomId}/timestamp_to_event.
"""

from __future__ import annotations

from core.errors import NotFound
from core.graph.graph import Graph
from core.graph.stored_event import StoredEvent
from core.graph.viewing import Viewing
from core.ids import EventNid, Requester, RoomId
from core.rooms.access import RoomAccess, Sight
from core.rooms.remote_history import RemoteHistory
from core.storage.event_times import EventTimeStore

EVENTS_AT_ONCE = 20
READS = 25
"""How many times further events are looked at where the requester may not see those before."""
_LARGEST_NID = 2**62


class TimestampLookup:
    """Finds events by time."""

    def __init__(
        self, graph: Graph, access: RoomAccess, viewing: Viewing, times: EventTimeStore, elsewhere: RemoteHistory
    ) -> None:
        self._graph = graph
        self._access = access
        self._viewing = viewing
        self._times = times
        self._elsewhere = elsewhere

    def nearest(self, requester: Requester, room_id: RoomId, ts: int, backwards: bool) -> StoredEvent:
        """The event closest to `ts` (milliseconds) at or before it, or at or after it. Raises NotFound, Forbidden.

        Where history is missing here, another server is asked whether it knows one that is closer.
        """
        sight = self._access.sight(requester, room_id)
        here = self._here(requester, sight, ts, backwards)
        if (here is None or here.origin_server_ts != ts) and sight.is_joined:
            here = self._closer(requester, sight, ts, backwards, here) or here
        if here is None:
            way = "at or before" if backwards else "at or after"
            raise NotFound(f"The room has no event {way} {ts} that you may see.")
        return here

    def _closer(
        self, requester: Requester, sight: Sight, ts: int, backwards: bool, here: StoredEvent | None
    ) -> StoredEvent | None:
        """An event of another server that is closer than what is here, brought here."""
        if not self._graph.history.gaps_in(sight.room.room_nid):
            return None
        found = self._elsewhere.near(sight.room, ts, backwards)
        if found is None or (here is not None and abs(found[1] - ts) >= abs(here.origin_server_ts - ts)):
            return None
        if not self._elsewhere.bring(sight.room, found[0]):
            return None
        stored = self._graph.events.by_id(found[0])
        if stored is None or not stored.is_visible:
            return None
        return stored if self._viewing.may_see(stored, requester.user_nid, requester.user_id) else None

    def _here(self, requester: Requester, sight: Sight, ts: int, backwards: bool) -> StoredEvent | None:
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
        return None
