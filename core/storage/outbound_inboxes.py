"""To-device messages for other servers, until these have taken them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from core.ids import ServerName
from core.storage.database import Database
from core.storage.tables import BigIntegerField, BytesField, MatrixStringField, Table
from core.storage.writer import Transaction, Writer

SEQUENCE = "outbound_inboxes"


class OutboundMessage(Table):
    """One EDU's content, canonical JSON."""

    message_nid = BigIntegerField(primary_key=True)
    server_name = MatrixStringField(255)
    content = BytesField()

    class Meta:
        table_name = "outbound_inboxes"
        indexes = ((("server_name", "message_nid"), False),)


class OutboundInboxStore:
    """Queues, one a server."""

    def __init__(self, database: Database, writer: Writer) -> None:
        self._database = database
        self._writer = writer
        self._insert = database.dialect.insert(OutboundMessage)

    def add(self, transaction: Transaction, messages: Sequence[tuple[ServerName, bytes]]) -> None:
        """Put messages at the ends of queues, in the caller's transaction."""
        last = transaction.advance(SEQUENCE, len(messages))
        first = last - len(messages) + 1
        transaction.add_all(self._insert, [(first + number, *one) for number, one in enumerate(messages)])

    def first(self, server: ServerName, limit: int, after: int = 0) -> list[tuple[int, bytes]]:
        """(number, content) of the oldest messages for a server, those after a number."""
        rows = self._database.rows(
            "SELECT message_nid, content FROM outbound_inboxes WHERE server_name = ? AND message_nid > ? "
            "ORDER BY message_nid LIMIT ?",
            (server, after, limit),
        )
        return [(number, bytes(content)) for number, content in rows]

    def remove(self, numbers: Collection[int]) -> None:
        """These were taken."""
        listed = [(number,) for number in numbers]
        self._writer.submit(
            lambda transaction: transaction.add_all("DELETE FROM outbound_inboxes WHERE message_nid = ?", listed)
        )

    def servers(self) -> list[ServerName]:
        """The servers that something is waiting for."""
        return [ServerName(row[0]) for row in self._database.rows("SELECT DISTINCT server_name FROM outbound_inboxes")]
