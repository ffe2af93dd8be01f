"""Transaction ids: which event a client's request already made, so that a repeated request makes no second one.

Spec: Client-Server API, "Transaction identifiers".
"""

from __future__ import annotations

from collections.abc import Collection
from hashlib import sha256

from core.ids import EventNid, UserNid
from core.storage.database import Database
from core.storage.events import rows_in
from core.storage.tables import BigIntegerField, BytesField, HashField, MatrixStringField, Table
from core.storage.writer import Transaction


class TransactionIdRow(Table):
    """One request. `request` is the hash of user, scope, path and transaction id; the scope is a device or a token."""

    request = HashField(primary_key=True)
    event_nid = BigIntegerField(index=True)
    user_nid = BigIntegerField()
    scope = MatrixStringField(255)
    txn_id = BytesField()
    created_ms = BigIntegerField(index=True)

    class Meta:
        table_name = "transaction_ids"


def request_hash(user: UserNid, scope: str, path: str, txn_id: str) -> bytes:
    """The key under which a request is remembered."""
    return sha256("\0".join((str(user), scope, path, txn_id)).encode("utf-8", "surrogatepass")).digest()


class TransactionIdStore:
    """Requests and the events they made."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._add = database.dialect.insert(TransactionIdRow)

    def find(self, source: Database | Transaction, request: bytes) -> EventNid | None:
        """The event the request made, if it did before."""
        nid = source.value("SELECT event_nid FROM transaction_ids WHERE request = ?", (request,))
        return None if nid is None else EventNid(nid)

    def of_events(self, events: Collection[EventNid]) -> dict[EventNid, tuple[UserNid, str, str]]:
        """(user, scope, transaction id) of each of `events` that a local request made, for `unsigned`."""
        sql = "SELECT event_nid, user_nid, scope, txn_id FROM transaction_ids WHERE event_nid IN ({})"
        rows = rows_in(self._database, sql, events)
        return {
            nid: (UserNid(user), scope, txn_id.decode("utf-8", "surrogatepass")) for nid, user, scope, txn_id in rows
        }

    def add(
        self,
        transaction: Transaction,
        request: bytes,
        event: EventNid,
        user: UserNid,
        scope: str,
        txn_id: str,
        now_ms: int,
    ) -> None:
        """Remember a request, in the transaction that makes its event."""
        raw = txn_id.encode("utf-8", "surrogatepass")
        transaction.add(self._add, (request, event, user, scope, raw, now_ms))

    def forget_before(self, transaction: Transaction, before_ms: int, limit: int = 1000) -> int:
        """Drop the oldest requests made before a time, at most `limit`; the number dropped."""
        rows = transaction.rows(
            "SELECT request FROM transaction_ids WHERE created_ms < ? ORDER BY created_ms LIMIT ?", (before_ms, limit)
        )
        for row in rows:
            transaction.run("DELETE FROM transaction_ids WHERE request = ?", row)
        return len(rows)
