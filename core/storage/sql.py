"""SQL text, built once from the models, in the dialect of the engine at hand.

Everywhere else statements are written with `?` and in the part of SQL that SQLite, MariaDB and MySQL share; what they
do not share (upserts, column types, table options) is here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from peewee import Database as PeeweeDatabase
from peewee import MySQLDatabase, SchemaManager, SqliteDatabase

from core.storage.tables import Table

_SQLITE_TYPES = {
    "VARBINARY": "TEXT",
    "MEDIUMBLOB": "BLOB",
    "BINARY(32)": "BLOB",
    "SMALLINT": "INTEGER",
    "BIGINT": "INTEGER",
}


class _SqliteDialect(SqliteDatabase):
    field_types = _SQLITE_TYPES


class _MysqlDialect(MySQLDatabase):
    field_types = {"BIGAUTO": "BIGINT", "AUTO": "BIGINT"}  # noqa: RUF012  # peewee declares it so


class Dialect:
    """How one engine spells what the engines spell differently. `name` is "sqlite" or "mysql"."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_mysql = name == "mysql"
        self.peewee: PeeweeDatabase = _MysqlDialect(None) if self.is_mysql else _SqliteDialect(None)
        self.for_update = " FOR UPDATE" if self.is_mysql else ""
        """Ends a SELECT that locks its rows until the commit; SQLite's one writer has locked all of them already."""
        self._texts: dict[str, str] = {}

    def text(self, sql: str) -> str:
        """`sql` with the placeholders of the engine's driver; remembered, so it costs a lookup."""
        if not self.is_mysql:
            return sql
        found = self._texts.get(sql)
        if found is None:
            found = self._texts[sql] = sql.replace("%", "%%").replace("?", "%s")
        return found

    def insert(self, table: type[Table]) -> str:
        """INSERT of all columns in the model's order."""
        columns = column_names(table)
        return f"INSERT INTO {table_name(table)} ({', '.join(columns)}) VALUES ({marks(len(columns))})"

    def upsert(self, table: type[Table], keep: Sequence[str] = ()) -> str:
        """INSERT of all columns that replaces an existing row's columns, those of its key and `keep` apart."""
        key = key_columns(table)
        changed = [c for c in column_names(table) if c not in key and c not in keep]
        if self.is_mysql:
            tail = ", ".join(f"{c} = VALUES({c})" for c in changed) or f"{key[0]} = {key[0]}"
            return f"{self.insert(table)} ON DUPLICATE KEY UPDATE {tail}"
        if not changed:
            return f"{self.insert(table)} ON CONFLICT DO NOTHING"
        tail = ", ".join(f"{c} = excluded.{c}" for c in changed)
        return f"{self.insert(table)} ON CONFLICT ({', '.join(key)}) DO UPDATE SET {tail}"

    def insert_new(self, table: type[Table]) -> str:
        """INSERT of all columns that leaves a row with the same key alone (never INSERT IGNORE, which hides errors)."""
        return self.upsert(table, keep=column_names(table))

    def schema(self, table: type[Table]) -> list[str]:
        """The statements that create `table` and its indexes where they are missing."""
        schema: Any = SchemaManager(table, self.peewee)
        with self.peewee.bind_ctx([table], bind_refs=False, bind_backrefs=False):
            creation = schema._create_table(safe=True).query()[0]
            indexes = [ctx.query()[0] for ctx in schema._create_indexes(safe=True)]
        if self.is_mysql:
            creation = creation.removesuffix(" WITHOUT ROWID")
            creation += " ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin ROW_FORMAT=DYNAMIC"
        return [creation, *indexes]


def table_name(table: type[Table]) -> str:
    """The name of the model's table."""
    return str(table._meta.table_name)


def column_names(table: type[Table]) -> list[str]:
    """The columns in the order in which the model declares them."""
    return [field.column_name for field in table._meta.sorted_fields]


def key_columns(table: type[Table]) -> list[str]:
    """The columns of the primary key."""
    meta: Any = table._meta
    return [field.column_name for field in meta.get_primary_keys()]


def marks(count: int) -> str:
    """`?, ?, ?`: `count` placeholders."""
    return ", ".join("?" * count)
