"""Events of other servers' users that came into their rooms through this server, which therefore tells the others."""

from __future__ import annotations

from collections.abc import Collection

from core.ids import EventId
from core.storage.database import Database
from core.storage.log import Kind
from core.storage.tables import MatrixStringField, Table
from core.storage.writer import Writer


class OutboundRelay(Table):
    """One event that is ours to send."""

    event_id = MatrixStringField(255, primary_key=True)

    class Meta:
        table_name = "outbound_relays"


class OutboundRelayStore:
    """Remembers what is to be sent for others."""

    def __init__(self, database: Database, writer: Writer) -> None:
        self._database = database
        self._writer = writer
        self._insert = database.dialect.insert_new(OutboundRelay)

    def note(self, event_id: EventId) -> None:
        """This event is about to come in through us. Durable when it returns: call before the event is appended."""
        self._writer.submit(lambda transaction: transaction.add(self._insert, (event_id,)))

    def forget(self, upto: int, limit: int = 500) -> None:
        """Let go of events that everybody was told of, since their lines in the log are not past `upto`."""
        rows = self._database.rows(
            "SELECT r.event_id FROM outbound_relays r JOIN events e ON e.event_id = r.event_id "
            "JOIN log l ON l.reference = e.event_nid AND l.kind = ? WHERE l.position <= ? LIMIT ?",
            (int(Kind.EVENT), upto, limit),
        )
        if rows:
            listed = [(row[0],) for row in rows]
            self._writer.submit(
                lambda transaction: transaction.add_all("DELETE FROM outbound_relays WHERE event_id = ?", listed)
            )

    def among(self, event_ids: Collection[EventId]) -> set[EventId]:
        """Those of `event_ids` that came in through us."""
        rows = self._database.rows_in("SELECT event_id FROM outbound_relays WHERE event_id IN ({})", event_ids)
        return {EventId(row[0]) for row in rows}
