"""Short lives of a server's storage, ended by kill -9; a program of its own: `python -m tests.storage.lives`.

It loads everything once and forks for each life, so that a hundred take seconds. See test_kill.py.
"""

# gevent patches before anything else is imported
from gevent import monkey

monkey.patch_all()

import os
import random
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import gevent
import pymysql

from core.storage.connections import MysqlSettings, SqliteSettings
from core.storage.database import Database, Settings
from core.storage.interning import Text
from core.storage.log import Kind
from core.storage.migrations import Migration, add_sequence, create_tables, migrate, run_sql
from core.storage.migrations.migrating import core_migrations
from core.storage.opening import open_storage
from core.storage.tables import BigIntegerField, MatrixStringField, Table
from core.storage.transaction import Transaction

SENDERS = 6


class Extra(Table):
    nid = BigIntegerField(primary_key=True)
    name = MatrixStringField(50, unique=True)
    other = BigIntegerField(index=True)

    class Meta:
        table_name = "extras"


PLUGIN_MIGRATIONS = [
    Migration(1, "first", True, (create_tables(Extra), add_sequence("extras", 5))),
    Migration(2, "second", True, (run_sql("DELETE FROM extras WHERE other = 0"), create_tables(Text))),
]


def in_a_life(body: Callable[[], None], seconds: float | None, ready: int | None = None) -> int:
    """Run `body` in a child, killed `seconds` after it began, or after `ready` can be read; its exit status."""
    child = os.fork()
    if child == 0:
        try:
            body()
        finally:
            os._exit(70)
    if seconds is not None:
        if ready is not None and _real_select([ready], [], [], 10)[0]:
            os.read(ready, 1)
        _real_select([], [], [], seconds)
        os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1]


def write_until_killed(settings: Settings, life: int, ready: int) -> None:
    """Several senders write a row and a log line each, and say so on stdout once it is acknowledged."""
    storage = open_storage(settings, "example.org", wait_s=5)
    os.write(ready, b"r")

    def send(sender: int) -> None:
        for n in range(1_000_000):
            reference = (life * SENDERS + sender) * 1_000_000 + n

            def job(transaction: Transaction, reference: int = reference) -> int:
                transaction.add("INSERT INTO facts (name, value) VALUES (?, ?)", (str(reference), "x"))
                return transaction.log(Kind.EVENT, sender, reference)

            line = storage.writer.submit(job)
            os.write(1, f"{reference} {line.position}\n".encode())

    gevent.joinall([gevent.spawn(send, sender) for sender in range(SENDERS)], raise_error=True)


def writes(settings: Settings, count: int, seed: int) -> None:
    """`count` lives that write; each fourth is killed at any moment from its birth, the others while they write."""
    chance = random.Random(seed)
    for life in range(count):
        readable, writable = os.pipe()
        body = partial(write_until_killed, settings, life, writable)
        in_a_life(body, chance.uniform(0.0, 0.06), readable if life % 4 else None)
        os.close(readable)
        os.close(writable)


def migrate_all(settings: Settings) -> None:
    """What a start does to the schema."""
    database = Database(settings)
    migrate(database, core_migrations()[:1])
    migrate(database, PLUGIN_MIGRATIONS, "sample")
    database.close()
    os._exit(0)


def migrate_until(settings: Settings, statement: int) -> None:
    """Migrate, and die before the statement of this number."""
    left = [statement]
    real = Transaction.run

    def run(transaction: Transaction, sql: str, params: object = ()) -> int:
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left[0] -= 1
        return real(transaction, sql, params)

    Transaction.run = run
    migrate_all(settings)


def migrations(settings: Settings) -> None:
    """For each statement: a fresh database, a start killed there, a start that finishes, and the schema on stdout."""
    for statement in range(1000):
        fresh = _fresh(settings, statement)
        status = in_a_life(partial(migrate_until, fresh, statement), None)
        resumed = in_a_life(partial(migrate_all, fresh), None)
        print(statement, status, resumed, schema(fresh), sep="\t", flush=True)
        if status == 0:
            return


def schema(settings: Settings) -> list[tuple[object, ...]]:
    """Tables, columns, indexes and applied migrations."""
    database = Database(settings)
    if database.dialect.is_mysql:
        found = database.rows(
            "SELECT table_name, column_name, column_type FROM information_schema.columns "
            "WHERE table_schema = DATABASE() "
            "UNION ALL SELECT table_name, index_name, column_name FROM information_schema.statistics "
            "WHERE table_schema = DATABASE() ORDER BY 1, 2, 3"
        )
    else:
        found = database.rows("SELECT type, name, sql FROM sqlite_master ORDER BY name")
    found += database.rows("SELECT owner, number, name FROM applied_migrations ORDER BY owner, number")
    found += database.rows("SELECT name, value FROM sequences ORDER BY name")
    database.close()
    return found


def _fresh(settings: Settings, number: int) -> Settings:
    if isinstance(settings, SqliteSettings):
        return SqliteSettings(settings.path.with_name(f"{number}.db"))
    name = settings.database
    connection = pymysql.connect(unix_socket=settings.unix_socket, user=settings.user, ssl_disabled=True)
    for sql in (f"DROP DATABASE IF EXISTS {name}", f"CREATE DATABASE {name} COLLATE utf8mb4_bin"):
        connection.cursor().execute(sql)
    connection.close()
    return replace(settings)


_real_select = monkey.get_original("select", "select")


def main(arguments: list[str]) -> None:
    """`writes|migrations sqlite PATH|mysql SOCKET SCHEMA [COUNT SEED]`."""
    what, engine, *rest = arguments
    if engine == "sqlite":
        settings: Settings = SqliteSettings(Path(rest.pop(0)))
    else:
        settings = MysqlSettings(unix_socket=rest.pop(0), database=rest.pop(0), user="root")
    if what == "writes":
        writes(settings, int(rest[0]), int(rest[1]))
    else:
        migrations(settings)


if __name__ == "__main__":
    main(sys.argv[1:])
