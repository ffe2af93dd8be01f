"""What a user has set for a room, carried over when they join the room that replaced it.

Tags move as copies, and a direct chat stays one. A room that has settings of its own already is left alone.
Spec: Client-Server API, "Room Upgrades", server behavior.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import orjson

from core.errors import MatrixError
from core.graph.graph import Graph
from core.ids import RoomId, UserNid, is_room_id
from core.storage.account_data import AccountDataStore
from core.storage.rooms import RoomName
from core.storage.writer import Transaction, Writer

logger = logging.getLogger(__name__)

Carrier = Callable[[UserNid, RoomId, RoomId], None]
"""Carries further settings of a user from an old room to a new one, as push rules."""


class PersonalSettings:
    """Carries settings over. `carriers` are other parts' settings."""

    def __init__(self, graph: Graph, store: AccountDataStore, writer: Writer) -> None:
        self._graph = graph
        self._store = store
        self._writer = writer
        self._carriers: list[Carrier] = []

    def also_carry(self, carrier: Carrier) -> None:
        """Let another part carry its settings as well."""
        self._carriers.append(carrier)

    def carry_into(self, user_nid: UserNid, room: RoomName) -> None:
        """Carry over what the user had set for the room's predecessor, if it has one that they were in."""
        create = self._graph.states.current(room.room_nid).event("m.room.create")
        predecessor = None if create is None else create.content.get("predecessor")
        old_id = predecessor.get("room_id") if isinstance(predecessor, dict) else None
        if not isinstance(old_id, str) or not is_room_id(old_id) or old_id == room.room_id:
            return
        old = self._graph.rooms.find(RoomId(old_id))
        if old is None or self._graph.memberships.of(old.room_nid, user_nid) is None:
            return
        self.carry(user_nid, old.room_id, room.room_id)

    def carry(self, user_nid: UserNid, old: RoomId, new: RoomId) -> None:
        """Carry the user's settings of one room over to another."""
        tags = self._store.find(user_nid, "m.tag", old)
        has_tags = self._store.find(user_nid, "m.tag", new) is not None
        direct = _with_room(self._store.find(user_nid, "m.direct"), old, new)

        def job(transaction: Transaction) -> None:
            if tags is not None and not has_tags:
                self._store.set(transaction, user_nid, "m.tag", tags, new)
            if direct is not None:
                self._store.set(transaction, user_nid, "m.direct", direct)

        if (tags is not None and not has_tags) or direct is not None:
            self._writer.submit(job, user_nid)
        for carrier in self._carriers:
            try:
                carrier(user_nid, old, new)
            except MatrixError as refused:  # as too many rules: the join stands
                logger.info("Settings for %s were not carried over to %s: %s", old, new, refused.sentence)


def _with_room(content: bytes | None, old: RoomId, new: RoomId) -> bytes | None:
    """`m.direct` with the new room beside the old one; None where nothing changes."""
    direct: Any = None if content is None else orjson.loads(content)
    if not isinstance(direct, dict):
        return None
    changed = {
        user: [*rooms, new] if isinstance(rooms, list) and old in rooms and new not in rooms else rooms
        for user, rooms in direct.items()
    }
    return None if changed == direct else orjson.dumps(changed)
