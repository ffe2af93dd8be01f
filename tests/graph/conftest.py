from collections.abc import Callable

import pytest

from core.events.signatures import SigningKey
from core.graph.graph import Graph, build_graph
from core.ids import ServerName
from tests.services.engines import database, database_settings, interner, log, tail, writer

__all__ = ["database", "database_settings", "interner", "log", "tail", "writer"]

OUR_SERVER = ServerName("here.test")
OUR_KEY = SigningKey("ed25519:here", b"h" * 32)


@pytest.fixture
def open_graph(database, writer, tail, interner) -> Callable[[], Graph]:
    """Builds a graph over the test's database, each time with empty caches."""
    return lambda: build_graph(database, writer, tail, interner, OUR_SERVER, OUR_KEY)


@pytest.fixture
def graph(open_graph) -> Graph:
    return open_graph()
