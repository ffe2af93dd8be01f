"""Commits of many rows and the copying of SQLite's log are a thread's to wait for; small commits are done at once."""

from __future__ import annotations

import sqlite3

import pytest
from gevent.monkey import get_original

from core.storage.committing import MANY_ROWS, Committer
from core.storage.connections import SqliteSettings
from core.storage.database import Database
from core.storage.log import LogTail
from core.storage.migrations import migrate
from core.storage.migrations.migrating import core_migrations
from core.storage.writer import Writer

thread_id = get_original("threading", "get_ident")


class Watched(sqlite3.Connection):
    """Knows which thread asked for its last cursor's statement."""

    committed_by = 0

    def cursor(self, *_arguments):
        return _Cursor(self)


class _Cursor:
    def __init__(self, connection):
        self._connection = connection

    def execute(self, sql):
        self._connection.committed_by = thread_id()
        return self._connection.execute(sql)


@pytest.mark.parametrize(("rows", "is_here"), [(1, True), (MANY_ROWS, False)])
def test_who_waits_for_a_commit_depends_on_its_size(rows, is_here):
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False, factory=Watched)
    committer = Committer()
    connection.execute("CREATE TABLE numbers (n)")
    committer.take(connection)
    connection.execute("BEGIN")
    connection.executemany("INSERT INTO numbers VALUES (?)", [(n,) for n in range(rows)])
    committer.commit(connection)
    assert not connection.in_transaction
    assert (connection.committed_by == thread_id()) is is_here
    committer.close()
    connection.close()


def test_the_errors_of_a_long_commit_are_the_callers():
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    committer = Committer()
    connection.execute("CREATE TABLE numbers (n)")
    committer.take(connection)
    connection.executemany("INSERT INTO numbers VALUES (?)", [(n,) for n in range(MANY_ROWS)])
    with pytest.raises(sqlite3.OperationalError):
        committer.commit(connection)  # nothing was begun
    committer.close()
    connection.close()


def test_the_log_of_sqlite_does_not_grow_with_what_is_written(tmp_path):
    database = Database(SqliteSettings(tmp_path / "hs.db", "OFF"))
    migrate(database, core_migrations())
    writer = Writer(database, LogTail(0))
    writer.start()
    for group in range(40):
        rows = [(f"{group}/{n}", "x" * 400) for n in range(1_000)]
        writer.submit(lambda tx, rows=rows: tx.add_all("INSERT INTO facts (name, value) VALUES (?, ?)", rows))
    assert (tmp_path / "hs.db-wal").stat().st_size < 8 * 1024 * 1024
    assert (tmp_path / "hs.db").stat().st_size > 16 * 1024 * 1024
    writer.close()
    database.close()
