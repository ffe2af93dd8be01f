from collections.abc import Callable, Iterator

import pytest

from core.events.signatures import SigningKey
from core.graph.graph import Graph, build_graph
from core.ids import Position, ServerName
from core.storage.connections import SqliteSettings
from core.storage.database import Database
from core.storage.interning import Interner
from core.storage.log import LogReader, LogTail
from core.storage.migrations.migrating import core_migrations, migrate
from core.storage.writer import Writer
from tests.graph.replay import Replayer

OUR_SERVER = ServerName("here.test")
OUR_KEY = SigningKey("ed25519:here", b"h" * 32)


@pytest.fixture(scope="session", params=["sqlite", pytest.param("mariadb", marks=pytest.mark.mariadb)])
def database(request, tmp_path_factory) -> Iterator[Database]:
    """One database of each engine for all of this folder: rooms do not see each other."""
    if request.param == "sqlite":
        yield from _migrated(SqliteSettings(tmp_path_factory.mktemp("graph") / "hs.db", "NORMAL"))
        return
    with request.getfixturevalue("mariadb").schema() as settings:
        yield from _migrated(settings)


def _migrated(settings) -> Iterator[Database]:
    database = Database(settings)
    migrate(database, core_migrations())
    yield database
    database.close()


@pytest.fixture
def tail(database) -> LogTail:
    return LogTail(LogReader(database).tip())


@pytest.fixture
def writer(database, tail) -> Iterator[Writer]:
    writer = Writer(database, tail)
    writer.start()
    yield writer
    writer.close()


@pytest.fixture
def log(database) -> LogReader:
    return LogReader(database)


@pytest.fixture
def tip(log) -> Callable[[], Position]:
    """The log's present end."""
    return log.tip


@pytest.fixture
def open_graph(database, writer, tail) -> Callable[..., Graph]:
    """Builds a graph over the test's database, each time with empty caches, of sizes that may be given."""
    return lambda **caches: build_graph(
        database, writer, tail, Interner(database, writer), OUR_SERVER, OUR_KEY, **caches
    )


@pytest.fixture
def graph(open_graph) -> Graph:
    return open_graph()


@pytest.fixture
def replay(graph, open_graph):
    """Makes a replayer for a recorder's room."""
    return lambda recorder: Replayer(graph, recorder.version, recorder.room_id, open_graph)
