"""Receipts in syncs: one `m.receipt` event per room and thread.

Of a room that is new to the client come the receipts that are furthest on, and the user's own; then what moved. Many
who wait for one room ask for the same positions at the same time, so what was read for one of them serves all.
Spec: Client-Server API, "Receipts".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from core.graph.caches import ByteCache
from core.ids import RoomId, RoomNid
from core.storage.interning import Interner
from core.storage.log import Kind
from core.storage.receipts import UNTHREADED, Receipt, ReceiptStore, ReceiptType
from core.storage.rooms import RoomStore
from core.sync.asking import Asking
from core.sync.sections import Fields

MOST_PER_ROOM = 200
"""Of a room that is new to the client, so many public receipts are told: those that are furthest on."""
CACHE_BYTES = 1024 * 1024
"""How much is kept of what moved in a room between two positions."""
_RECEIPT_BYTES = 400
_TYPE = "m.receipt"
_NAMES = {ReceiptType.PUBLIC: "m.read", ReceiptType.PRIVATE: "m.read.private"}


class ReceiptSection:
    """Receipts under `ephemeral`."""

    def __init__(self, store: ReceiptStore, rooms: RoomStore, texts: Interner) -> None:
        self._store = store
        self._rooms = rooms
        self._texts = texts
        self._moved: ByteCache[tuple[RoomNid, int, int], list[Receipt]] = ByteCache(CACHE_BYTES)

    def current(self, asking: Asking, rooms: Mapping[RoomNid, RoomId]) -> Mapping[RoomNid, Fields]:
        """The newest public receipts of each room, and the user's own of both types."""
        wanted = [room for room, room_id in rooms.items() if _wants(asking, room_id)]
        if not wanted:
            return {}
        user = asking.viewer.user_nid
        own = self._store.own(user, None if asking.is_initial else wanted)
        others = [receipt for receipt in self._store.public(wanted, MOST_PER_ROOM) if receipt.user_nid != user]
        chosen = set(wanted)
        return self._fields(receipt for receipt in [*others, *own] if receipt.room_nid in chosen)

    def news(self, asking: Asking, rooms: Mapping[RoomNid, RoomId]) -> Mapping[RoomNid, Fields]:
        """What moved in the window, in any room the user is in."""
        window = asking.window
        if not window.has(Kind.RECEIPT, Kind.PRIVATE_RECEIPT):
            return {}
        moved: list[Receipt] = []
        if window.has(Kind.RECEIPT):
            moved += self._moved_in(asking)
        if window.has(Kind.PRIVATE_RECEIPT):
            moved += self._store.changed_private(asking.viewer.user_nid, window.since, window.upto)
        names = self._rooms.names({receipt.room_nid for receipt in moved})
        return self._fields(receipt for receipt in moved if _wants(asking, names[receipt.room_nid].room_id))

    def _moved_in(self, asking: Asking) -> list[Receipt]:
        window = asking.window
        joined = window.user.joined
        touched = window.user.rooms_since(window.since) if window.is_known else joined
        moved: list[Receipt] = []
        missing: list[RoomNid] = []
        for room in touched:
            if room not in joined:
                continue
            known = self._moved.get((room, window.since, window.upto))
            if known is None:
                missing.append(room)
            else:
                moved += known
        if missing:
            found: dict[RoomNid, list[Receipt]] = {room: [] for room in missing}
            for receipt in self._store.changed(missing, window.since, window.upto):
                found[receipt.room_nid].append(receipt)
            for room, receipts in found.items():
                self._moved.put((room, window.since, window.upto), receipts, _RECEIPT_BYTES * (1 + len(receipts)))
                moved += receipts
        return moved

    def _fields(self, receipts: Iterable[Receipt]) -> dict[RoomNid, Fields]:
        by_room: dict[RoomNid, list[Receipt]] = defaultdict(list)
        for receipt in receipts:
            by_room[receipt.room_nid].append(receipt)
        users = self._texts.texts({receipt.user_nid for room in by_room.values() for receipt in room})
        return {room: {"ephemeral": receipt_events(found, users)} for room, found in by_room.items()}


def receipt_events(receipts: Iterable[Receipt], users: Mapping[int, str]) -> list[bytes]:
    """One room's receipts as `m.receipt` events, one for each thread. `users` has the id of each user by number."""
    by_thread: dict[str, dict[str, Any]] = {}
    for receipt in receipts:
        told: dict[str, Any] = {"ts": receipt.ts_ms}
        if receipt.thread != UNTHREADED:
            told["thread_id"] = receipt.thread
        of_event = by_thread.setdefault(receipt.thread, {}).setdefault(receipt.event_id, {})
        of_event.setdefault(_NAMES[receipt.receipt_type], {})[users[receipt.user_nid]] = told
    return [orjson.dumps({"type": _TYPE, "content": content}) for content in by_thread.values()]


def _wants(asking: Asking, room_id: RoomId) -> bool:
    wanted = asking.filter.room.ephemeral
    return wanted.matches(_TYPE) and wanted.wants_room(room_id)
