"""Two servers of ours that federate, and a fake one; for the session, tests make users and rooms of their own."""

from __future__ import annotations

import pytest

from tests.servers.federating import FederatingServer
from tests.servers.remote import make_certificate, running


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """One certificate for all of localhost."""
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="session")
def make_server(tmp_path_factory, certificate):
    """Start servers; they are stopped at the end."""
    made = []

    def make(**config):
        made.append(FederatingServer(tmp_path_factory.mktemp("server"), certificate, **config))
        made[-1].start()
        return made[-1]

    yield make
    for server in made:
        server.stop()


@pytest.fixture(scope="session")
def alpha(make_server):
    """The one server, which shows its directory."""
    return make_server(allow_public_rooms_over_federation=True)


@pytest.fixture(scope="session")
def beta(make_server):
    """The other server."""
    return make_server()


@pytest.fixture
def remote(certificate):
    """A server that tests script."""
    with running(certificate) as remote:
        yield remote
