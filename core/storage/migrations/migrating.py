"""How migrations are found, ordered, locked and applied; and what a database must be to be touched at all."""

from __future__ import annotations

import importlib
import pkgutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from core.storage.database import Database
from core.storage.tables import BigIntegerField, IntegerField, MatrixStringField, Table
from core.storage.writer import Transaction

Step = Callable[[Transaction], None]


class SchemaError(Exception):
    """The database is not ours, newer than this code, or belongs to another server name; the sentence says which."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One change of the schema. `previous_release_can_run` says whether going back one release is safe afterwards."""

    number: int
    name: str
    previous_release_can_run: bool
    steps: tuple[Step, ...]


class AppliedMigration(Table):
    """Which migrations this database has had. `owner` is "core", or a plugin's name."""

    owner = MatrixStringField(100)
    number = IntegerField()
    name = MatrixStringField(100)
    applied_ms = BigIntegerField()

    class Meta:
        table_name = "applied_migrations"
        primary_key = False
        indexes = ((("owner", "number"), True),)


def create_tables(*tables: type[Table]) -> Step:
    """A step that makes the tables and their indexes where they are missing."""

    def step(transaction: Transaction) -> None:
        for table in tables:
            for statement in transaction.dialect.schema(table):
                _run_definition(transaction, statement)

    return step


def add_sequence(name: str, start: int = 0) -> Step:
    """A step that makes a counter where it is missing."""

    def step(transaction: Transaction) -> None:
        if transaction.row("SELECT value FROM sequences WHERE name = ?", (name,)) is None:
            transaction.run("INSERT INTO sequences (name, value) VALUES (?, ?)", (name, start))

    return step


def run_sql(*statements: str) -> Step:
    """A step of plain statements, each of which must bear being run twice."""

    def step(transaction: Transaction) -> None:
        for statement in statements:
            transaction.run(statement)

    return step


def core_migrations() -> list[Migration]:
    """The migrations of this release, in order."""
    package = importlib.import_module("core.storage.migrations")
    names = [m.name for m in pkgutil.iter_modules(package.__path__) if m.name.startswith("m0")]
    found = [importlib.import_module(f"core.storage.migrations.{name}").MIGRATION for name in names]
    return sorted(found, key=lambda migration: migration.number)


def migrate(database: Database, migrations: Sequence[Migration], owner: str = "core") -> list[Migration]:
    """Apply what is missing and return it. Raises SchemaError where the database must not be touched."""
    connection = database.open_writing()
    try:
        transaction = Transaction(database.dialect, connection)
        applied = _applied(transaction, owner)
        known = {migration.number for migration in migrations}
        if newer := sorted(set(applied) - known):
            raise SchemaError(
                f"The database has migration {newer[-1]} ({applied[newer[-1]]}), which this release does not know: it was "
                "written by a newer release. Start that one, or restore the backup made before the upgrade."
            )
        done = []
        for migration in migrations:
            if migration.number not in applied:
                _apply(transaction, migration, owner)
                done.append(migration)
        return done
    finally:
        connection.close()


def _apply(transaction: Transaction, migration: Migration, owner: str) -> None:
    begin = "START TRANSACTION" if transaction.dialect.is_mysql else "BEGIN IMMEDIATE"
    transaction.run(begin)
    try:
        for step in migration.steps:
            step(transaction)
        transaction.run(
            "INSERT INTO applied_migrations (owner, number, name, applied_ms) VALUES (?, ?, ?, ?)",
            (owner, migration.number, migration.name, int(time.time() * 1000)),
        )
        transaction.run("COMMIT")
    except BaseException:
        transaction.run("ROLLBACK")
        raise


def _applied(transaction: Transaction, owner: str) -> dict[int, str]:
    names = _table_names(transaction)
    if "applied_migrations" not in names:
        if names:
            raise SchemaError(
                f"The database holds tables that are not this server's ({', '.join(sorted(names)[:3])}); "
                "give it an empty database of its own."
            )
        for statement in transaction.dialect.schema(AppliedMigration):
            transaction.run(statement)
    rows = transaction.rows("SELECT number, name FROM applied_migrations WHERE owner = ?", (owner,))
    return dict(rows)


def _table_names(transaction: Transaction) -> set[str]:
    if transaction.dialect.is_mysql:
        rows = transaction.rows("SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()")
    else:
        rows = transaction.rows("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    return {row[0] for row in rows}


def _run_definition(transaction: Transaction, statement: str) -> None:
    """Run CREATE TABLE or CREATE INDEX; MySQL has no IF NOT EXISTS for indexes and says 1061 where it is there."""
    if not transaction.dialect.is_mysql:
        transaction.run(statement)
        return
    from pymysql.err import OperationalError

    try:
        transaction.run(statement)
    except OperationalError as error:
        if error.args[0] != 1061:
            raise
