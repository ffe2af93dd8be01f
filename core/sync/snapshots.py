"""Presence and receipts for the snapshots of the older sync API. Implements core.rooms.initial_sync.Ephemeral."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import orjson

from core.ids import Requester, RoomNid
from core.storage.interning import Interner
from core.storage.receipts import Receipt, ReceiptStore
from core.sync.notifier import Notifier
from core.sync.plugin_sections import PluginSections
from core.sync.receipts import MOST_PER_ROOM, receipt_events


class EphemeralSnapshots:
    """Reads what holds now."""

    def __init__(self, receipts: ReceiptStore, sections: PluginSections, notifier: Notifier, texts: Interner) -> None:
        self._receipts = receipts
        self._sections = sections
        self._notifier = notifier
        self._texts = texts

    def presence(self, requester: Requester) -> Sequence[Mapping[str, Any]]:
        """The `m.presence` events of those whom the requester sees."""
        found = self._sections.now("presence", requester, self._notifier.position, self._notifier.count)
        events: Sequence[Mapping[str, Any]] = found.get("events", [])
        return events

    def receipts(self, requester: Requester, rooms: Collection[RoomNid]) -> Mapping[RoomNid, Sequence[dict[str, Any]]]:
        """The `m.receipt` events of rooms: the public ones that are furthest on, and the requester's own."""
        user = requester.user_nid
        by_room: dict[RoomNid, list[Receipt]] = defaultdict(list)
        for receipt in self._receipts.public(rooms, MOST_PER_ROOM):
            if receipt.user_nid != user:
                by_room[receipt.room_nid].append(receipt)
        for receipt in self._receipts.own(user, rooms):
            by_room[receipt.room_nid].append(receipt)
        users = self._texts.texts({receipt.user_nid for listed in by_room.values() for receipt in listed})
        return {
            room: [orjson.loads(event) for event in receipt_events(listed, users)] for room, listed in by_room.items()
        }
