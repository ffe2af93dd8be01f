"""Reads what an answer will need of many rooms at once, where room by room each would take a dozen queries.

Nothing is handed on: what is read is found again in the caches of those who keep it, so an answer is the same without.
"""

from __future__ import annotations

from collections.abc import Sequence

from core.graph.client_events import ClientEvents
from core.graph.graph import Graph
from core.graph.stored_event import StoredEvent
from core.graph.viewing import Viewing
from core.ids import EventNid, RoomNid, TextNid
from core.sync.asking import Asking
from core.sync.timelines import Timelines

ROOMS_AT_ONCE = 50
"""So many rooms are read together."""
MOST_TIMELINE = 50
"""Longer timelines are not read ahead: all at once they would keep others waiting."""


class ReadingAhead:
    """Reads rooms that are new to a client."""

    def __init__(self, graph: Graph, viewing: Viewing, client_events: ClientEvents, timelines: Timelines) -> None:
        self._graph = graph
        self._viewing = viewing
        self._client_events = client_events
        self._timelines = timelines

    def load(self, asking: Asking, rooms: Sequence[RoomNid], limit: int) -> None:
        """Current states, what the asker may see, and timelines of `limit` events, of rooms the asker is in."""
        if len(rooms) < 2:
            return
        viewer = asking.viewer
        asking.pause()
        self._graph.states.load(rooms)
        self._viewing.load(rooms, viewer.user_nid, viewer.user_id)
        if 0 < limit <= MOST_TIMELINE:
            asking.pause()
            events = self._timelines.load(rooms, asking.window.upto, limit)
            self._client_events.load(rooms, events)
            self._load_senders(events)

    def _load_senders(self, events: Sequence[StoredEvent]) -> None:
        """The member events of who sent them, which lazy loading adds to the state."""
        members = self._graph.texts.nid("m.room.member")
        senders = {room: set[TextNid]() for room in {stored.room_nid for stored in events}}
        for stored in events:
            senders[stored.room_nid].add(stored.sender_nid)
        wanted: list[EventNid] = []
        for room, users in senders.items():
            state = self._graph.states.current(room).nids()
            wanted += [state[members, user] for user in users if (members, user) in state]
        self._graph.events.by_nids(wanted)
