"""Leases: work that must have one owner at a time, however many workers there are.

A lease expires unless it is renewed, so that a worker which died gives up its work. Its *fence* grows with each
taking; cursor writes compare it (core.storage.cursors), so an owner that was paused past its lease cannot overwrite
its successor."""

from __future__ import annotations

import time
from dataclasses import dataclass

from core.storage.tables import BigIntegerField, MatrixStringField, Table
from core.storage.transaction import Transaction
from core.storage.writer import Writer


class LeaseRow(Table):
    """Who owns the work called `name`, until when, and how often it has changed hands."""

    name = MatrixStringField(200, primary_key=True)
    owner = MatrixStringField(64)
    fence = BigIntegerField()
    expires_ms = BigIntegerField()

    class Meta:
        table_name = "leases"


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease one holds: its name and the number that its owner's writes carry."""

    name: str
    fence: int


class Leases:
    """Takes and keeps leases for one owner: `owner` names this worker and nobody else, ever."""

    def __init__(self, writer: Writer, owner: str) -> None:
        self._writer = writer
        self.owner = owner

    def take(self, name: str, seconds: float) -> Lease | None:
        """The lease for `seconds` from now, if it is free, expired or ours already; None where another holds it."""
        return self._writer.submit(lambda transaction: take_lease(transaction, name, self.owner, seconds))

    def renew(self, lease: Lease, seconds: float) -> bool:
        """Keep the lease for `seconds` from now; False where it was lost, upon which its work must stop."""
        return self._writer.submit(
            lambda transaction: bool(
                transaction.run(
                    "UPDATE leases SET expires_ms = ? WHERE name = ? AND owner = ? AND fence = ?",
                    (_now_ms(transaction) + int(seconds * 1000), lease.name, self.owner, lease.fence),
                )
            )
        )

    def release(self, lease: Lease) -> None:
        """Give the lease up, if it is still ours."""
        self._writer.submit(
            lambda transaction: transaction.run(
                "UPDATE leases SET expires_ms = 0 WHERE name = ? AND owner = ? AND fence = ?",
                (lease.name, self.owner, lease.fence),
            )
        )


def take_lease(transaction: Transaction, name: str, owner: str, seconds: float, least_fence: int = 0) -> Lease | None:
    """What `Leases.take` does, inside the caller's transaction; the new fence is at least `least_fence`."""
    now_ms = _now_ms(transaction)
    sql = f"SELECT owner, fence, expires_ms FROM leases WHERE name = ?{transaction.dialect.for_update}"
    row = transaction.row(sql, (name,))
    if row is None:
        transaction.run(transaction.dialect.insert_new(LeaseRow), (name, "", 0, 0))
        row = transaction.row(sql, (name,))
    assert row is not None, "the row was made above"
    holder, fence, expires_ms = row
    if holder != owner and expires_ms > now_ms:
        return None
    fence = max(fence + 1, least_fence)
    transaction.run(
        "UPDATE leases SET owner = ?, fence = ?, expires_ms = ? WHERE name = ?",
        (owner, fence, now_ms + int(seconds * 1000), name),
    )
    return Lease(name, fence)


def _now_ms(transaction: Transaction) -> int:
    """The time by the clock all owners share: the database server's, or this machine's where the database is a file."""
    if transaction.dialect.is_mysql:
        return int(transaction.value("SELECT CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)"))
    return int(time.time() * 1000)
