"""A server that may open few files still reaches many others, and its clients notice nothing."""

from __future__ import annotations

import gevent
import pytest
from gevent.pool import Pool

from tests.servers.federating import FederatingServer
from tests.servers.remote import running

SERVERS = 300
OPEN_FILES = 256


class Frugal(FederatingServer):
    """A server under `ulimit -n`."""

    def command(self) -> list[str]:
        """How it is run."""
        return ["sh", "-c", f'ulimit -n {OPEN_FILES}; exec "$@"', "sh", *super().command()]


@pytest.fixture
def frugal(tmp_path, certificate):
    """The server."""
    server = Frugal(tmp_path, certificate)
    server.start()
    yield server
    server.stop()


def test_hundreds_of_servers_are_reached_with_256_open_files(frugal, certificate):
    alice, pool = frugal.register(), Pool(30)
    with running(certificate, address="0.0.0.0") as remote:
        remote.answer("/_matrix/federation/v1/query/profile", lambda seen: {"displayname": seen.host})
        names = [f"127.0.{number // 250}.{number % 250 + 1}:{remote.port}" for number in range(SERVERS)]
        with gevent.Timeout(60):
            found = pool.map(lambda name: alice.get(f"/v3/profile/@a:{name}")["displayname"], names)
        assert found == names
        assert len(remote.sni) >= SERVERS
    assert "Too many open files" not in frugal.output()
