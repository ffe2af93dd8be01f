"""What servers in a room may read of it: events, states, auth chains, history.

An event that a server's users may not see is served in its redacted form, which keeps the graph whole and says nothing;
so is what a user who asked for erasure sent before the server came to the room.
Spec: Server-Server API, "Backfilling and retrieving missing events", "Retrieving events".
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Sequence

from core.errors import NotFound
from core.events.canonical_json import encode
from core.events.redaction import redact
from core.events.visibility import HistoryVisibility, history_visibility, server_may_see
from core.federation.auth_chains import AuthChains
from core.federation.participation import Participation
from core.graph.erasure import ErasedUsers
from core.graph.graph import Graph
from core.graph.stored_event import StoredEvent
from core.ids import EventId, EventNid, RoomId, ServerName, server_of
from core.storage.event_times import EventTimeStore
from core.storage.rooms import RoomName

MAX_BACKFILL = 100
MAX_MISSING = 20
MAX_WALKED = 1_000
"""How many events a walk through history looks at."""
TIMES_AT_ONCE = 20
TIME_READS = 25
_LARGEST_NID = 2**62


class Serving:
    """Answers the reading endpoints. Raises NotFound, Forbidden."""

    def __init__(
        self, graph: Graph, chains: AuthChains, participation: Participation, times: EventTimeStore, erased: ErasedUsers
    ) -> None:
        self._graph = graph
        self._chains = chains
        self._participation = participation
        self._times = times
        self._erased = erased

    def event(self, origin: ServerName, event_id: EventId) -> bytes:
        """One event of a room that the server is in."""
        stored = self._graph.events.get(event_id)
        self._participation.shared_room(origin, stored.room_id)
        if stored.is_rejected:
            raise NotFound(f"There is no event {event_id} here.")
        return self._shown(origin, stored)

    def state(self, origin: ServerName, room_id: RoomId, event_id: EventId) -> tuple[list[StoredEvent], ...]:
        """The state before an event, and its auth chain."""
        room = self._participation.shared_room(origin, room_id)
        stored = self._in_room(room, event_id)
        if stored.is_outlier or stored.before is None:
            raise NotFound(f"The state before {event_id} is not known here.")
        state = list(self._graph.states.before(stored.nid).events().values())
        return state, self._chains.of(state)

    def event_auth(self, origin: ServerName, room_id: RoomId, event_id: EventId) -> list[StoredEvent]:
        """The auth chain of an event."""
        room = self._participation.shared_room(origin, room_id)
        return self._chains.of([self._in_room(room, event_id)])

    def backfill(self, origin: ServerName, room_id: RoomId, event_ids: Sequence[EventId], limit: int) -> list[bytes]:
        """The events given and those before them, newest first."""
        room = self._participation.shared_room(origin, room_id)
        start = [one for one in self._graph.events.by_ids(event_ids).values() if _is_part(one, room)]
        found = self._walk(room, start, set(), min(limit, MAX_BACKFILL))
        return [self._shown(origin, stored) for stored in found]

    def missing_events(
        self,
        origin: ServerName,
        room_id: RoomId,
        latest: Sequence[EventId],
        earliest: Collection[EventId],
        limit: int,
        min_depth: int,
    ) -> list[bytes]:
        """What lies between `earliest` and `latest`, both left out, oldest first."""
        room = self._participation.shared_room(origin, room_id)
        newest = [one for one in self._graph.events.by_ids(latest).values() if _is_part(one, room)]
        stop = {*latest, *earliest}
        prevs = [prev for one in newest for prev in one.event.prev_event_ids if prev not in stop]
        start = [one for one in self._graph.events.by_ids(prevs).values() if _is_part(one, room)]
        found = self._walk(room, start, stop, min(limit, MAX_MISSING))
        kept = [stored for stored in found if stored.event.depth >= min_depth]
        return [self._shown(origin, stored) for stored in reversed(kept)]

    def nearest(self, origin: ServerName, room_id: RoomId, ts: int, backwards: bool) -> StoredEvent:
        """The event closest to a time that the server may see."""
        room = self._participation.shared_room(origin, room_id)
        time, nid = ts, EventNid(_LARGEST_NID if backwards else -1)
        for _ in range(TIME_READS):
            rows = self._times.nearest(room.room_nid, time, nid, backwards, TIMES_AT_ONCE)
            for stored in self._graph.events.by_nids(row[0] for row in rows).values():
                if self._may_see(origin, stored):
                    return stored
            if len(rows) < TIMES_AT_ONCE:
                break
            nid, time = rows[-1]
        raise NotFound(f"The room has no event {'at or before' if backwards else 'at or after'} {ts}.")

    def _walk(self, room: RoomName, start: Iterable[StoredEvent], stop: set[EventId], limit: int) -> list[StoredEvent]:
        """Up to `limit` events from `start` backwards, newest first in our order."""
        heap = [(-one.local_depth, -one.nid, one) for one in start]
        heapq.heapify(heap)
        seen = {one.event_id for _, _, one in heap} | stop
        found: list[StoredEvent] = []
        for _ in range(MAX_WALKED):
            if not heap or len(found) >= limit:
                break
            stored = heapq.heappop(heap)[2]
            found.append(stored)
            wanted = [prev for prev in stored.event.prev_event_ids if prev not in seen]
            seen.update(wanted)
            for prev in self._graph.events.by_ids(wanted).values():
                if _is_part(prev, room):
                    heapq.heappush(heap, (-prev.local_depth, -prev.nid, prev))
        return found

    def _in_room(self, room: RoomName, event_id: EventId) -> StoredEvent:
        stored = self._graph.events.by_id(event_id)
        if stored is None or stored.room_nid != room.room_nid or stored.is_rejected:
            raise NotFound(f"There is no event {event_id} in the room.")
        return stored

    def _shown(self, origin: ServerName, stored: StoredEvent) -> bytes:
        if self._may_see(origin, stored) and not self._is_erased_for(origin, stored):
            return stored.pdu_bytes
        return encode(redact(stored.event.pdu, stored.version), strict=False)

    def _is_erased_for(self, origin: ServerName, stored: StoredEvent) -> bool:
        """Whether the sender asked for erasure, and the server came to the room after the event."""
        if stored.sender_nid not in self._erased.nids or stored.main_before is None:
            return False
        present = self._graph.servers.in_at(stored.room_nid, stored.main_before)
        return self._graph.texts.find(origin) not in present

    def _may_see(self, origin: ServerName, stored: StoredEvent) -> bool:
        """Whether a server that is in the room now may see an event; state without a place is no history."""
        if stored.before is None:
            return stored.is_state
        state = self._graph.states.before(stored.nid)
        visibility = history_visibility(state.event("m.room.history_visibility"))
        memberships: set[str] = set()
        if visibility in (HistoryVisibility.JOINED, HistoryVisibility.INVITED):
            members = state.of_type("m.room.member").items()
            memberships = {str(one.content.get("membership")) for key, one in members if server_of(key) == origin}
        return server_may_see(stored.event, origin, visibility, memberships, joined_since=True)


def _is_part(stored: StoredEvent, room: RoomName) -> bool:
    """Whether the event has a place in the room's graph that others may build on."""
    return stored.room_nid == room.room_nid and not stored.is_outlier and not stored.is_rejected
