"""Other servers that do not answer: since when, how often, and when they are tried again."""

from __future__ import annotations

from dataclasses import dataclass

from core.ids import ServerName
from core.storage.database import Database
from core.storage.tables import BigIntegerField, IntegerField, MatrixStringField, Table
from core.storage.writer import Transaction


class DestinationRow(Table):
    """One server that is down. Servers that answer have no row."""

    server_name = MatrixStringField(primary_key=True)
    failing_since_ts = BigIntegerField()
    failures = IntegerField()
    retry_ts = BigIntegerField(index=True)

    class Meta:
        table_name = "destinations"


@dataclass(frozen=True, slots=True)
class Outage:
    """All times are milliseconds since 1970; `failures` is how many tries in a row have failed."""

    server_name: ServerName
    failing_since_ts: int
    failures: int
    retry_ts: int


class DestinationStore:
    """Remembers outages over restarts."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._set = database.dialect.upsert(DestinationRow)

    def all(self) -> list[Outage]:
        """Every outage on record, those tried again first at the start."""
        rows = self._database.rows(
            "SELECT server_name, failing_since_ts, failures, retry_ts FROM destinations ORDER BY retry_ts"
        )
        return [Outage(ServerName(name), since, failures, retry) for name, since, failures, retry in rows]

    def find(self, server: ServerName) -> Outage | None:
        """The outage of one server, None where it answers as far as anybody knows."""
        row = self._database.row(
            "SELECT failing_since_ts, failures, retry_ts FROM destinations WHERE server_name = ?", (server,)
        )
        return None if row is None else Outage(server, *row)

    def set(self, transaction: Transaction, outage: Outage) -> None:
        """Record an outage, in place of what was known of it."""
        transaction.add(self._set, (outage.server_name, outage.failing_since_ts, outage.failures, outage.retry_ts))

    def remove(self, transaction: Transaction, server: ServerName) -> None:
        """The server answers again."""
        transaction.run("DELETE FROM destinations WHERE server_name = ?", (server,))
