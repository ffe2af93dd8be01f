"""One real server for all API tests of a session; tests make users and rooms of their own on it."""

from __future__ import annotations

import pytest

from tests.servers.trellis import Server


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """A running server on SQLite."""
    server = Server(tmp_path_factory.mktemp("server"), enable_registration=False)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def alice(server):
    """A fresh account."""
    return server.register()


@pytest.fixture
def bob(server):
    """Another fresh account."""
    return server.register()
