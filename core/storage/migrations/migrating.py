"""How migrations are found, ordered, locked and applied; and what a database must be to be touched at all."""

from __future__ import annotations

import importlib
import logging
import pkgutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from peewee import CompositeKey

from core.storage.connections import Connection, MysqlSettings
from core.storage.database import Database
from core.storage.failures import StorageRefused
from core.storage.tables import BigIntegerField, IntegerField, MatrixStringField, Table
from core.storage.transaction import Transaction, begin, roll_back

logger = logging.getLogger(__name__)

LOCK_WAIT_SECONDS = 600
"""How long a start waits for another process's migrations."""

Step = Callable[[Transaction], None]


class SchemaError(StorageRefused):
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
        primary_key = CompositeKey("owner", "number")


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


@dataclass(frozen=True, slots=True)
class SchemaState:
    """Which of an owner's migrations a database has had, and which it lacks."""

    applied: tuple[str, ...]
    missing: tuple[Migration, ...]


def schema_state(database: Database, migrations: Sequence[Migration], owner: str = "core") -> SchemaState:
    """What `migrate` would do, without touching anything. Raises SchemaError where the database must not be touched."""
    names = _table_names(database)
    _refuse_foreign(names)
    applied = _applied(database, owner) if "applied_migrations" in names else {}
    _refuse_newer(applied, migrations, owner)
    done = tuple(f"{number:04d} {applied[number]}" for number in sorted(applied))
    return SchemaState(done, tuple(migration for migration in migrations if migration.number not in applied))


def schema_report(database: Database, migrations: Sequence[Migration]) -> dict[str, list[str]]:
    """The core's migrations as lines of text, `applied` and `missing`. Raises as `schema_state`."""
    state = schema_state(database, migrations)
    return {
        "applied": list(state.applied),
        "missing": [f"{migration.number:04d} {migration.name}" for migration in state.missing],
    }


def migrate(database: Database, migrations: Sequence[Migration], owner: str = "core") -> list[Migration]:
    """Apply what is missing and return it. Raises SchemaError where the database must not be touched.

    Processes that start at the same time wait for each other, so that each migration runs once.
    """
    numbers = [migration.number for migration in migrations]
    if numbers != sorted(set(numbers)):
        raise SchemaError(
            f"The migrations of {owner} are numbered {numbers}: each number once, and growing, is needed."
        )
    if not schema_state(database, migrations, owner).missing:
        return []
    connection = database.open_writing()
    try:
        with _lock(database, connection):
            transaction = Transaction(database.dialect, connection)
            for statement in database.dialect.schema(AppliedMigration):
                transaction.run(statement)
            missing = schema_state(database, migrations, owner).missing
            return [migration for migration in missing if _apply(connection, database, migration, owner)]
    finally:
        connection.close()


def _apply(connection: Connection, database: Database, migration: Migration, owner: str) -> bool:
    """Apply one migration; whether nobody else had done so meanwhile."""
    begin(connection, database.dialect)
    transaction = Transaction(database.dialect, connection)
    try:
        if migration.number in _applied(transaction, owner):
            roll_back(connection)
            return False
        for step in migration.steps:
            step(transaction)
        transaction.run(
            "INSERT INTO applied_migrations (owner, number, name, applied_ms) VALUES (?, ?, ?, ?)",
            (owner, migration.number, migration.name, int(time.time() * 1000)),
        )
        transaction.run("COMMIT")
    except BaseException:
        with suppress(Exception):
            roll_back(connection)
        raise
    logger.info("Migration %04d %s of %s is applied.", migration.number, migration.name, owner)
    return True


@contextmanager
def _lock(database: Database, connection: Connection) -> Iterator[None]:
    """Keep other workers from migrating: a named lock of the server's. On SQLite each transaction locks the file."""
    if not isinstance(database.settings, MysqlSettings):
        yield
        return
    cursor = connection.cursor()
    name = f"trellis migrate {database.settings.database}"[:64]  # freed with the connection, however that ends
    cursor.execute("SELECT GET_LOCK(%s, %s)", (name, LOCK_WAIT_SECONDS))
    if [answer for (answer,) in cursor.fetchall()] != [1]:
        raise SchemaError(
            f"Another process has been migrating the database for {LOCK_WAIT_SECONDS} seconds; try again."
        )
    try:
        yield
    finally:
        cursor.execute("SELECT RELEASE_LOCK(%s)", (name,))


def _applied(source: Database | Transaction, owner: str) -> dict[int, str]:
    return dict(source.rows("SELECT number, name FROM applied_migrations WHERE owner = ?", (owner,)))


def _refuse_foreign(names: set[str]) -> None:
    if names and "applied_migrations" not in names:
        raise SchemaError(
            f"The database holds tables that are not this server's ({', '.join(sorted(names)[:3])}); "
            "give it an empty database of its own."
        )


def _refuse_newer(applied: dict[int, str], migrations: Sequence[Migration], owner: str) -> None:
    newer = sorted(applied.keys() - {migration.number for migration in migrations})
    if newer:
        whose = "this release" if owner == "core" else f"this release of the plugin {owner}"
        raise SchemaError(
            f"The database has migration {newer[-1]} ({applied[newer[-1]]}), which {whose} does not know: it was "
            "written by a newer release. Start that one, or restore the backup made before the upgrade."
        )


def _table_names(database: Database) -> set[str]:
    if database.dialect.is_mysql:
        rows = database.rows("SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()")
    else:
        rows = database.rows("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
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
