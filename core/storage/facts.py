"""Facts about the deployment that the database must remember, such as the server name it was made for."""

from __future__ import annotations

from core.storage.database import Database
from core.storage.tables import MatrixStringField, Table
from core.storage.writer import Transaction


class Fact(Table):
    """One fact, by name."""

    name = MatrixStringField(64, primary_key=True)
    value = MatrixStringField(1000)

    class Meta:
        table_name = "facts"


class FactStore:
    """Reads and writes facts; there are a handful, read at start."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._set = database.dialect.upsert(Fact)

    def find(self, name: str) -> str | None:
        """The fact's value, or None."""
        value: str | None = self._database.value("SELECT value FROM facts WHERE name = ?", (name,))
        return value

    def set(self, transaction: Transaction, name: str, value: str) -> None:
        """Write a fact in the caller's transaction."""
        transaction.add(self._set, (name, value))
