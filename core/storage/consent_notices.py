"""About which version of the terms each user was written to."""

from __future__ import annotations

from core.ids import UserNid
from core.storage.database import Database
from core.storage.tables import BigIntegerField, MatrixStringField, Table
from core.storage.writer import Transaction


class ConsentNoticeRow(Table):
    """One user's."""

    user_nid = BigIntegerField(primary_key=True)
    version = MatrixStringField(255)

    class Meta:
        table_name = "consent_notices"


class ConsentNoticeStore:
    """Reads and writes them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._put = database.dialect.upsert(ConsentNoticeRow)

    def version_of(self, user_nid: UserNid) -> str | None:
        """The version a user was last written to about, None for never."""
        version: str | None = self._database.value(
            "SELECT version FROM consent_notices WHERE user_nid = ?", (user_nid,)
        )
        return version

    def put(self, transaction: Transaction, user_nid: UserNid, version: str) -> None:
        """Note that a user was written to."""
        transaction.add(self._put, (user_nid, version))
