"""Receipts: a user says up to where they have read, and it is told to whom it may be told.

A receipt for an event that is not further on than the last one changes nothing, and is mostly recognized from memory
alone; another is one job of the writer. Receipts of users of other servers come in by `receive`.

Spec: Client-Server API, "Receipts".
"""

from __future__ import annotations

import time
from collections.abc import Callable

from core.errors import InvalidParam
from core.graph.caches import ByteCache
from core.graph.graph import Graph
from core.graph.stored_event import StoredEvent
from core.graph.threads import thread_of
from core.graph.viewing import Viewing
from core.ids import EventId, EventNid, Requester, RoomId, RoomNid, UserId, UserNid
from core.rooms.access import RoomAccess, event_in_sight
from core.rooms.edu_sink import EduSink
from core.storage.log import Kind, LogReader
from core.storage.receipts import MAIN, UNTHREADED, Receipt, ReceiptStore, ReceiptType
from core.storage.rooms import RoomName
from core.storage.transaction import Transaction
from core.storage.writer import Writer

CACHE_BYTES = 4 * 1024 * 1024
"""How much is kept of where receipts stand, to recognize those that change nothing; about 20,000 receipts."""
_ENTRY_BYTES = 200

Key = tuple[UserNid, RoomNid, ReceiptType, str]


class Receipts:
    """Read receipts of users."""

    def __init__(
        self,
        graph: Graph,
        access: RoomAccess,
        viewing: Viewing,
        store: ReceiptStore,
        log: LogReader,
        writer: Writer,
        edus: EduSink,
        now_ms: Callable[[], int] = lambda: int(time.time() * 1000),
    ) -> None:
        self._graph = graph
        self._access = access
        self._viewing = viewing
        self._store = store
        self._log = log
        self._writer = writer
        self._edus = edus
        self._now_ms = now_ms
        self._reached: ByteCache[Key, tuple[int, int, int]] = ByteCache(CACHE_BYTES)
        """At least this far is each receipt. Another process may have moved it on, never back."""

    def send(
        self,
        requester: Requester,
        room_id: RoomId,
        receipt_type: ReceiptType,
        event_id: EventId,
        thread: str = UNTHREADED,
    ) -> None:
        """Move the requester's receipt to an event of a room they are in.

        Raises: `Forbidden` outside the room, `NotFound` for an event the requester cannot see there, `InvalidParam`
        for one that is not in `thread`.
        """
        room = self._access.joined(requester, room_id)
        stored = self.visible_event(requester, room, event_id)
        self._check_thread(stored, thread)
        key = (requester.user_nid, room.room_nid, receipt_type, thread)
        reached = self._reached.get(key)
        if reached is not None and reached[2] == stored.nid:
            return
        position, depth, nid = self.place(stored)
        if reached is not None and reached >= (position, depth, nid):
            return
        receipt = Receipt(*key, nid, event_id, position, depth, self._now_ms())
        if self._move(receipt) and receipt_type is ReceiptType.PUBLIC:
            self._edus.receipts(room, [(requester.user_id, receipt)])

    def receive(self, user_id: UserId, room: RoomName, event_id: EventId, thread: str, ts_ms: int) -> bool:
        """Take a public receipt of another server's user; whether it moved. The caller has checked the origin.

        The event may be unknown here; then any that is known counts as further on.
        """
        stored = self._graph.events.by_id(event_id)
        place = (0, 0, EventNid(0))
        if stored is not None and stored.room_nid == room.room_nid:
            place = self.place(stored)
        position, depth, nid = place
        user_nid = self._graph.texts.nid(user_id)
        key = (user_nid, room.room_nid, ReceiptType.PUBLIC, thread)
        return self._move(Receipt(*key, nid, event_id, position, depth, ts_ms))

    def visible_event(self, requester: Requester, room: RoomName, event_id: EventId) -> StoredEvent:
        """An event of the room that the requester may see. Raises NotFound."""
        return event_in_sight(self._graph, self._viewing, requester, room, event_id)

    def place(self, stored: StoredEvent) -> tuple[int, int, EventNid]:
        """Where an event stands among the events of its room; see core.storage.receipts."""
        position = self._log.positions_of(Kind.EVENT, (stored.nid,)).get(stored.nid, 0)
        return (position, stored.local_depth, stored.nid)

    def _check_thread(self, stored: StoredEvent, thread: str) -> None:
        """Raise InvalidParam for an event that is not in the thread. What is redacted has lost where it was."""
        if thread == UNTHREADED or stored.is_redacted or thread == stored.event_id:
            return
        found = thread_of(self._graph.events, stored)
        if found != (None if thread == MAIN else thread):
            where = "the main timeline" if found is None else f"the thread of {found}"
            raise InvalidParam(f"'thread_id' is {thread[:255]!r}, but event {stored.event_id} is in {where}.")

    def _move(self, receipt: Receipt) -> bool:
        key = (receipt.user_nid, receipt.room_nid, receipt.receipt_type, receipt.thread)

        def job(transaction: Transaction) -> bool:
            moved = self._store.move(transaction, receipt)
            if moved:
                transaction.after_commit(lambda: self._reached.put(key, receipt.place, _ENTRY_BYTES))
            return moved

        return self._writer.submit(job, receipt.room_nid)
