"""Fixtures that run a test on SQLite and on MariaDB: import them in a folder's conftest.py.

`database` has the core's migrations applied; `tail`, `writer`, `interner` and `log` stand on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.ids import Position
from core.storage.connections import SqliteSettings
from core.storage.database import Database, Settings
from core.storage.interning import Interner
from core.storage.log import LogReader, LogTail
from core.storage.migrations.migrating import core_migrations, migrate
from core.storage.writer import Writer

__all__ = ["database", "database_settings", "interner", "log", "tail", "writer"]


@pytest.fixture(params=["sqlite", pytest.param("mariadb", marks=pytest.mark.mariadb)])
def database_settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    """Where an empty database of this engine is."""
    if request.param == "sqlite":
        yield SqliteSettings(tmp_path / "hs.db")
        return
    with request.getfixturevalue("mariadb").schema() as settings:
        yield settings


@pytest.fixture
def database(database_settings: Settings) -> Iterator[Database]:
    """A database with the core's tables."""
    database = Database(database_settings)
    migrate(database, core_migrations())
    yield database
    database.close()


@pytest.fixture
def tail() -> LogTail:
    """The tail of an empty log."""
    return LogTail(Position(0))


@pytest.fixture
def writer(database: Database, tail: LogTail) -> Iterator[Writer]:
    """A running writer that feeds `tail`."""
    writer = Writer(database, tail)
    writer.start()
    yield writer
    writer.close()


@pytest.fixture
def interner(database: Database, writer: Writer) -> Interner:
    """The interner."""
    return Interner(database, writer)


@pytest.fixture
def log(database: Database) -> LogReader:
    """The log."""
    return LogReader(database)
