"""Changes of device lists on their way to other servers, until these have taken them.

A server that is away for long does not collect them without end: of one user it gets the newest, and notices from the
hole before them that it has to ask for the whole list.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from core.ids import ServerName, UserNid
from core.storage.database import Database
from core.storage.tables import BigIntegerField, BytesField, MatrixStringField, Table
from core.storage.writer import Transaction, Writer

SEQUENCE = "outbound_device_lists"
KEPT_PER_USER = 20
"""How many changes of one user wait for one server."""


class OutboundDeviceList(Table):
    """One EDU, canonical JSON."""

    change_nid = BigIntegerField(primary_key=True)
    server_name = MatrixStringField(255)
    user_nid = BigIntegerField()
    edu = BytesField()

    class Meta:
        table_name = "outbound_device_lists"
        indexes = ((("server_name", "change_nid"), False), (("user_nid", "server_name"), False))


class OutboundDeviceListStore:
    """Queues, one a server."""

    def __init__(self, database: Database, writer: Writer) -> None:
        self._database = database
        self._writer = writer
        self._insert = database.dialect.insert(OutboundDeviceList)

    def add(
        self, transaction: Transaction, servers: Collection[ServerName], user_nid: UserNid, edus: Sequence[bytes]
    ) -> None:
        """Put a user's changes at the end of the queues of some servers, in the caller's transaction."""
        kept = edus[-KEPT_PER_USER:]
        nid = transaction.advance(SEQUENCE, len(servers) * len(kept)) - len(servers) * len(kept)
        for server in servers:
            waiting = transaction.rows(
                "SELECT change_nid FROM outbound_device_lists WHERE user_nid = ? AND server_name = ? "
                "ORDER BY change_nid DESC",
                (user_nid, server),
            )
            surplus = waiting[max(KEPT_PER_USER - len(kept), 0) :]
            transaction.add_all("DELETE FROM outbound_device_lists WHERE change_nid = ?", surplus)
            transaction.add_all(
                self._insert, [(nid + number, server, user_nid, edu) for number, edu in enumerate(kept, 1)]
            )
            nid += len(kept)

    def first(self, server: ServerName, limit: int) -> list[tuple[int, bytes]]:
        """(number, EDU) of the oldest changes for a server."""
        rows = self._database.rows(
            "SELECT change_nid, edu FROM outbound_device_lists WHERE server_name = ? ORDER BY change_nid LIMIT ?",
            (server, limit),
        )
        return [(number, bytes(edu)) for number, edu in rows]

    def remove(self, numbers: Collection[int]) -> None:
        """These were taken."""
        listed = [(number,) for number in numbers]
        self._writer.submit(
            lambda transaction: transaction.add_all("DELETE FROM outbound_device_lists WHERE change_nid = ?", listed)
        )

    def servers(self) -> list[ServerName]:
        """The servers that something is waiting for."""
        rows = self._database.rows("SELECT DISTINCT server_name FROM outbound_device_lists")
        return [ServerName(row[0]) for row in rows]
