"""Requests that made an event: looked up before sending, and written in the transaction that sends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gevent.event import Event

from core.graph.caches import ByteCache
from core.graph.drafts import TransactionId
from core.ids import EventNid
from core.storage.database import Database
from core.storage.transaction_ids import TransactionIdStore
from core.storage.writer import Transaction

RECENT_BYTES = 4 * 1024 * 1024
_ENTRY_BYTES = 200


class SentRequests:
    """Knows which request has been answered by which event.

    A request is looked up before its job, where it costs the writer nothing. What was committed since then by this
    process is in memory, and what other processes committed is read under the room's lock.
    """

    def __init__(self, database: Database, store: TransactionIdStore) -> None:
        self._database = database
        self._store = store
        self._recent: ByteCache[bytes, EventNid] = ByteCache(RECENT_BYTES)
        self._underway: dict[bytes, Event] = {}

    def find(self, request: TransactionId) -> EventNid | None:
        """The event of a request, if it has been committed."""
        key = request.request()
        return self._recent.get(key) or self._store.find(self._database, key)

    @contextmanager
    def in_turn(self, request: TransactionId | None) -> Iterator[EventNid | None]:
        """Let repetitions of a request wait for the end of the block; yields the event of one that came before.

        For what has to wait between `find` and its job: two such requests at the same time would make two events.
        """
        if request is None:
            yield None
            return
        key = request.request()
        while (other := self._underway.get(key)) is not None:
            other.wait()
        done = self._underway[key] = Event()
        try:
            yield self.find(request)
        finally:
            del self._underway[key]
            done.set()

    def find_in_job(self, transaction: Transaction, request: TransactionId) -> EventNid | None:
        """The event of a request, if it came to be since `find` was asked."""
        key = request.request()
        found: EventNid | None = transaction.overlay.get(("request", key)) or self._recent.get(key)
        if found is None and self._database.dialect.is_mysql:
            found = self._store.find(transaction, key)
        return found

    def remember(self, transaction: Transaction, request: TransactionId, event: EventNid, now_ms: int) -> None:
        """Write a request down."""
        key = request.request()
        self._store.add(transaction, key, event, request.user_nid, request.scope, request.txn_id, now_ms)
        transaction.remember(("request", key), event)
        transaction.after_commit(lambda: self._recent.put(key, event, _ENTRY_BYTES))
