"""Tables of plugins: their migrations as the migrator runs them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from core.storage.failures import drivers_words
from core.storage.migrations.migrating import Migration, SchemaError, Step
from core.storage.transaction import Transaction

_SQLITE_TYPES = (
    (re.compile(r"\bVARBINARY\s*(\(\s*\d+\s*\))?", re.IGNORECASE), "TEXT"),
    (re.compile(r"\bBINARY\s*\(\s*\d+\s*\)", re.IGNORECASE), "BLOB"),
)
"""SQLite would take these for numbers, and turn a text of digits into one."""


def plugin_migration(number: int, table_set: str, statements: Sequence[str]) -> Migration:
    """One step of a plugin's schema; its statements bear being run twice, as the plugin guide asks.

    A statement that fails becomes a SchemaError that names the table set and the migration.
    """
    steps = tuple(_step(number, table_set, statement) for statement in statements)
    return Migration(number, table_set, previous_release_can_run=True, steps=steps)


def _step(number: int, table_set: str, statement: str) -> Step:
    def run(transaction: Transaction) -> None:
        text = statement if transaction.dialect.is_mysql else _for_sqlite(statement)
        try:
            transaction.run(text)
        except Exception as error:
            words = drivers_words(error)
            if words is None:
                raise
            raise SchemaError(
                f"Migration {number} of the plugin tables {table_set} fails: {words}. The statement: "
                f"{' '.join(statement.split())[:200]}"
            ) from error

    return run


def _for_sqlite(statement: str) -> str:
    for kind, ours in _SQLITE_TYPES:
        statement = kind.sub(ours, statement)
    return statement
