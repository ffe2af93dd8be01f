"""Auth chains of stored events, and PDUs joined into JSON lists."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import gevent

from core.graph.graph import Graph
from core.graph.stored_event import StoredEvent
from core.ids import EventId, EventNid

EVENTS_AT_ONCE = 500


class AuthChains:
    """Walks auth events, by number."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def of(self, events: Collection[StoredEvent]) -> list[StoredEvent]:
        """Every event reachable along auth events from `events`, which are in it only if another rests on them.

        From room version 12 on events rest on the create event without naming it; it is in the chain all the same, as
        Synapse has it.
        """
        found = self._unnamed_create(events)
        level = {stored.nid for stored in events if stored.is_state}
        messages = [stored for stored in events if not stored.is_state]
        for stored in messages:
            listed = self._graph.events.by_ids(stored.event.auth_event_ids).values()
            level |= {one.nid for one in listed}
            found |= {one.nid for one in listed}
        while level:
            edges = self._graph.events.auth_edges(level)
            parents = {parent for _, auth in edges.values() for parent in auth}
            level = parents - found
            found |= level
            gevent.idle()
        return list(self._graph.events.by_nids(sorted(found)).values())

    def _unnamed_create(self, events: Collection[StoredEvent]) -> set[EventNid]:
        """The create event on which some events of a room rest, where the room's version has nobody name it."""
        resting = next((stored for stored in events if stored.type != "m.room.create"), None)
        if resting is None or not resting.version.room_id_is_create_hash:
            return set()
        return {one.nid for one in self._graph.events.by_ids((EventId(f"${resting.room_id[1:]}"),)).values()}


def json_list(events: Iterable[StoredEvent]) -> bytes:
    """The PDUs of events as a JSON list."""
    return b"[" + b",".join(stored.pdu_bytes for stored in events) + b"]"
