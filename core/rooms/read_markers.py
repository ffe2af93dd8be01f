"""The fully-read marker: where a user went on reading, kept in the room's account data and only ever moved forward.

Spec: Client-Server API, "Fully read markers".
"""

from __future__ import annotations

from typing import Any

import orjson

from core.accounts.account_data import AccountData
from core.graph.graph import Graph
from core.ids import EventId, Requester, RoomId, RoomNid
from core.rooms.access import RoomAccess
from core.rooms.receipts import Receipts
from core.storage.account_data import AccountDataStore

FULLY_READ = "m.fully_read"


class ReadMarkers:
    """Moves fully-read markers."""

    def __init__(
        self,
        graph: Graph,
        access: RoomAccess,
        receipts: Receipts,
        account_data: AccountData,
        store: AccountDataStore,
    ) -> None:
        self._graph = graph
        self._access = access
        self._receipts = receipts
        self._account_data = account_data
        self._store = store

    def move(self, requester: Requester, room_id: RoomId, event_id: EventId) -> None:
        """Move the marker to an event, unless it is there or past it already.

        Raises: `Forbidden` outside the room, `NotFound` for an event that the requester cannot see there.
        """
        room = self._access.joined(requester, room_id)
        stored = self._receipts.visible_event(requester, room, event_id)
        former = self._marked(requester, room_id, room.room_nid)
        if former is not None and former >= self._receipts.place(stored):
            return
        content = {"event_id": event_id}
        self._account_data.set_for(requester.user_nid, requester.user_id, FULLY_READ, content, room_id)

    def _marked(self, requester: Requester, room_id: RoomId, room: RoomNid) -> tuple[int, int, int] | None:
        """Where the marker stands, if that is known."""
        content = self._store.find(requester.user_nid, FULLY_READ, room_id)
        marked: Any = None if content is None else orjson.loads(content).get("event_id")
        stored = self._graph.events.by_id(EventId(marked)) if isinstance(marked, str) else None
        return None if stored is None or stored.room_nid != room else self._receipts.place(stored)
