"""Filters that clients stored, by user and number. The same filter stored twice keeps its number."""

from __future__ import annotations

from peewee import CompositeKey

from core.ids import UserNid
from core.storage.database import Database
from core.storage.tables import BigIntegerField, BytesField, HashField, IntegerField, Table
from core.storage.writer import Transaction


class FilterRecord(Table):
    """A filter, as JSON; `content_hash` is its SHA-256."""

    user_nid = BigIntegerField()
    number = IntegerField()
    content_hash = HashField()
    content = BytesField()

    class Meta:
        table_name = "filters"
        primary_key = CompositeKey("user_nid", "number")
        indexes = ((("user_nid", "content_hash"), True),)
        without_rowid = True


class FilterStore:
    """Reads and writes filters."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._insert = database.dialect.insert(FilterRecord)

    def find(self, user_nid: UserNid, number: int) -> bytes | None:
        """The filter, as JSON, or None."""
        content: bytes | None = self._database.value(
            "SELECT content FROM filters WHERE user_nid = ? AND number = ?", (user_nid, number)
        )
        return content

    def find_same(self, user_nid: UserNid, content_hash: bytes) -> int | None:
        """The number of a filter with this content, or None."""
        number: int | None = self._database.value(
            "SELECT number FROM filters WHERE user_nid = ? AND content_hash = ?", (user_nid, content_hash)
        )
        return number

    def add(self, transaction: Transaction, user_nid: UserNid, content_hash: bytes, content: bytes, keep: int) -> int:
        """Store a filter and return its number; of the user's older ones `keep` remain at most."""
        same = transaction.value(
            "SELECT number FROM filters WHERE user_nid = ? AND content_hash = ?", (user_nid, content_hash)
        )
        if same is not None:
            return int(same)
        number = int(transaction.value("SELECT MAX(number) FROM filters WHERE user_nid = ?", (user_nid,)) or 0) + 1
        transaction.add(self._insert, (user_nid, number, content_hash, content))
        if number > keep:
            transaction.run("DELETE FROM filters WHERE user_nid = ? AND number <= ?", (user_nid, number - keep))
        return number
