"""The base of every table, and the column types whose meaning must not depend on the engine.

Models describe the schema; they are never instantiated on a hot path. Matrix strings (ids, types, state keys, user
input) compare byte for byte: VARBINARY on MariaDB and MySQL, whose text collations fold case or ignore trailing
spaces, and TEXT with the BINARY collation on SQLite. Bytes (event JSON, hashes) are BLOBs on both."""

from __future__ import annotations

from typing import Any

from peewee import BigIntegerField, Field, IntegerField, Model, SmallIntegerField, SqliteDatabase

__all__ = [
    "BigIntegerField",
    "BytesField",
    "HashField",
    "IntegerField",
    "MatrixStringField",
    "SmallIntegerField",
    "Table",
]


class Table(Model):
    """What every table derives from. Tables whose key is composite set `without_rowid = True`."""

    class Meta:
        legacy_table_names = False


class MatrixStringField(Field):
    """A string of at most `max_bytes` UTF-8 bytes, compared byte for byte; `str` in Python on both engines."""

    field_type = "VARBINARY"

    def __init__(self, max_bytes: int = 255, **options: Any) -> None:
        super().__init__(**options)
        self.max_bytes = max_bytes

    def get_modifiers(self) -> list[int]:
        """The column's length, which SQLite's TEXT does not take."""
        return [] if isinstance(self.model._meta.database, SqliteDatabase) else [self.max_bytes]


class BytesField(Field):
    """Bytes of any kind, up to 16 MiB: event JSON, account data. `bytes` in Python on both engines."""

    field_type = "MEDIUMBLOB"


class HashField(Field):
    """A SHA-256, usable as a key: 32 bytes, `bytes` in Python on both engines."""

    field_type = "BINARY(32)"
