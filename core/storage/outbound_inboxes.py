"""To-device messages for other servers, until these have taken them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial

from core.ids import ServerName
from core.storage.database import Database
from core.storage.tables import BigIntegerField, BytesField, MatrixStringField, Table
from core.storage.writer import Transaction, Writer

SEQUENCE = "outbound_inboxes"
KEPT_PER_SERVER = 50_000
"""How many messages wait for a server that does not come back; the newest stay."""


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

    def trim(self) -> int:
        """Drop the oldest messages for servers that are away for good; how many. Cost: reads the index."""
        rows = self._database.rows(
            "SELECT server_name, COUNT(*) FROM outbound_inboxes GROUP BY server_name HAVING COUNT(*) > ?",
            (KEPT_PER_SERVER,),
        )
        for server, count in rows:  # few: only those who are far behind
            self._writer.submit(partial(self._drop_oldest, server=server, count=count - KEPT_PER_SERVER))
        return sum(count - KEPT_PER_SERVER for _, count in rows)

    def _drop_oldest(self, transaction: Transaction, server: str, count: int) -> None:
        last = transaction.value(
            "SELECT message_nid FROM outbound_inboxes WHERE server_name = ? ORDER BY message_nid LIMIT 1 OFFSET ?",
            (server, count - 1),
        )
        transaction.run("DELETE FROM outbound_inboxes WHERE server_name = ? AND message_nid <= ?", (server, last))
