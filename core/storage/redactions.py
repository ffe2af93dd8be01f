"""Which redactions speak of which event: also of events that have not arrived yet."""

from __future__ import annotations

from collections.abc import Collection

from peewee import CompositeKey

from core.ids import EventId, EventNid
from core.storage.database import Database
from core.storage.events import rows_in
from core.storage.tables import BigIntegerField, MatrixStringField, Table
from core.storage.writer import Transaction


class RedactionRow(Table):
    """An accepted redaction, whether or not it could be applied."""

    redacts = MatrixStringField(255)
    event_nid = BigIntegerField()

    class Meta:
        table_name = "redactions"
        primary_key = CompositeKey("redacts", "event_nid")
        without_rowid = True


class RedactionStore:
    """Redactions by the event they name."""

    def __init__(self, database: Database) -> None:
        self._add = database.dialect.insert_new(RedactionRow)

    def add(self, transaction: Transaction, redacts: EventId, event: EventNid) -> None:
        """Note that `event` redacts `redacts`."""
        transaction.add(self._add, (redacts, event))

    def of(self, source: Database | Transaction, targets: Collection[EventId]) -> dict[EventId, list[EventNid]]:
        """The redactions of each of `targets`, oldest number first."""
        found: dict[EventId, list[EventNid]] = {}
        rows = rows_in(source, "SELECT redacts, event_nid FROM redactions WHERE redacts IN ({})", targets)
        for target, nid in sorted(rows):
            found.setdefault(target, []).append(nid)
        return found
