"""Fixtures that run a test on SQLite and on MariaDB: import them in a folder's conftest.py.

`database` has the core's migrations applied; `tail`, `writer`, `interner` and `log` stand on it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from core.ids import Position
from core.storage.connections import SqliteSettings
from core.storage.database import Database, Settings
from core.storage.interning import Interner
from core.storage.log import LogReader, LogTail
from core.storage.migrations.migrating import core_migrations, migrate
from core.storage.writer import Writer

__all__ = ["database", "database_settings", "interner", "log", "migrated_file", "tail", "writer"]


@pytest.fixture(params=["sqlite", pytest.param("mariadb", marks=pytest.mark.mariadb)])
def database_settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    """Where an empty database of this engine is."""
    if request.param == "sqlite":
        yield SqliteSettings(tmp_path / "hs.db")
        return
    with request.getfixturevalue("mariadb").schema() as settings:
        yield settings


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the core's tables, to be copied: that is much faster than making them for each test."""
    path = tmp_path_factory.mktemp("migrated") / "hs.db"
    _migrate(SqliteSettings(path))
    return path


@pytest.fixture(params=["sqlite", pytest.param("mariadb", marks=pytest.mark.mariadb)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database with the core's tables."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            settings: Settings = SqliteSettings(tmp_path / "hs.db")
            shutil.copy(request.getfixturevalue("migrated_file"), tmp_path / "hs.db")
        else:
            settings = stack.enter_context(request.getfixturevalue("mariadb").migrated_schema(_migrate))
        database = Database(settings)
        stack.callback(database.close)
        yield database


def _migrate(settings: Settings) -> None:
    database = Database(settings)
    migrate(database, core_migrations())
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
