"""Other servers' signing keys, as they published them.

A row is the newest object of a server that names one key. So a key that a server dropped without a word is still known
for the events it signed, and a notary has something to show for servers that are gone.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from peewee import CompositeKey

from core.ids import ServerName
from core.storage.database import Database
from core.storage.tables import BigIntegerField, BytesField, MatrixStringField, Table
from core.storage.writer import Transaction

MAX_KEY_ID_BYTES = 255


class ServerKeyRow(Table):
    """One key; `published` is the JSON of the signed object."""

    server_name = MatrixStringField()
    key_id = MatrixStringField(max_bytes=MAX_KEY_ID_BYTES)
    fetched_ts = BigIntegerField()
    valid_until_ts = BigIntegerField()
    published = BytesField()

    class Meta:
        table_name = "server_keys"
        primary_key = CompositeKey("server_name", "key_id")
        without_rowid = True


@dataclass(frozen=True, slots=True)
class PublishedKeys:
    """The object as its server signed it, and when it was fetched (milliseconds since 1970)."""

    server_name: ServerName
    fetched_ts: int
    valid_until_ts: int
    published: bytes


class ServerKeyStore:
    """Reads and writes published keys."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._set = database.dialect.upsert(ServerKeyRow)

    def find(self, server: ServerName) -> list[PublishedKeys]:
        """The objects of a server that are kept, newest first; each once, however many keys it names."""
        rows = self._database.rows(
            "SELECT fetched_ts, valid_until_ts, published FROM server_keys WHERE server_name = ?", (server,)
        )
        distinct = {bytes(row[2]): row for row in sorted(rows, key=lambda row: int(row[0]))}
        found = [PublishedKeys(server, fetched, until, bytes(text)) for fetched, until, text in distinct.values()]
        return sorted(found, key=lambda keys: keys.fetched_ts, reverse=True)

    def set(self, transaction: Transaction, keys: PublishedKeys, key_ids: Collection[str]) -> None:
        """Keep an object for each key it names, in place of older ones."""
        transaction.add_all(
            self._set,
            [
                (keys.server_name, key_id, keys.fetched_ts, keys.valid_until_ts, keys.published)
                for key_id in key_ids
                if len(key_id.encode()) <= MAX_KEY_ID_BYTES
            ],
        )
