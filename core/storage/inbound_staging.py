"""PDUs that other servers have sent and that are not in the graph yet: on record before the sender is answered."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from core.ids import EventId, RoomNid, ServerName
from core.storage.database import Database
from core.storage.tables import BigIntegerField, BytesField, MatrixStringField, Table
from core.storage.writer import Transaction, Writer

SEQUENCE = "inbound_staging"


class StagedPdu(Table):
    """One PDU; rows of a room are worked through in the order of their numbers."""

    staged_nid = BigIntegerField(primary_key=True)
    room_nid = BigIntegerField()
    event_id = MatrixStringField(255)
    origin = MatrixStringField(255)
    pdu = BytesField()

    class Meta:
        table_name = "inbound_staging"
        indexes = ((("room_nid", "staged_nid"), False),)


Staged = tuple[int, EventId, ServerName, bytes]
"""Number, event id, origin, canonical PDU."""


class InboundStagingStore:
    """The queues, one a room."""

    def __init__(self, database: Database, writer: Writer) -> None:
        self._database = database
        self._writer = writer
        self._insert = database.dialect.insert(StagedPdu)

    def add(self, pdus: Sequence[tuple[RoomNid, EventId, ServerName, bytes]]) -> list[int]:
        """Put PDUs at the end of their rooms' queues; returns their numbers. Durable when it returns."""

        def apply(transaction: Transaction) -> list[int]:
            last = transaction.advance(SEQUENCE, len(pdus))
            numbers = list(range(last - len(pdus) + 1, last + 1))
            transaction.add_all(self._insert, [(number, *pdu) for number, pdu in zip(numbers, pdus, strict=True)])
            return numbers

        return self._writer.submit(apply)

    def first(self, room: RoomNid, limit: int, after: int = 0) -> list[Staged]:
        """The PDUs of a room that came first, after the one with a number."""
        rows = self._database.rows(
            "SELECT staged_nid, event_id, origin, pdu FROM inbound_staging WHERE room_nid = ? "
            "AND staged_nid > ? ORDER BY staged_nid LIMIT ?",
            (room, after, limit),
        )
        return [(number, EventId(event_id), ServerName(origin), bytes(pdu)) for number, event_id, origin, pdu in rows]

    def remove(self, numbers: Collection[int]) -> None:
        """These are dealt with."""
        listed = [(number,) for number in numbers]
        self._writer.submit(
            lambda transaction: transaction.add_all("DELETE FROM inbound_staging WHERE staged_nid = ?", listed)
        )

    def rooms(self) -> list[RoomNid]:
        """The rooms that something is waiting for."""
        return [RoomNid(row[0]) for row in self._database.rows("SELECT DISTINCT room_nid FROM inbound_staging")]
