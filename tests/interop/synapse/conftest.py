"""A Synapse beside one of our servers; skipped with a reason where no Synapse is named."""

from __future__ import annotations

import os

import pytest

from tests.servers.federating import FederatingServer
from tests.servers.remote import make_certificate
from tests.servers.synapse import VARIABLE, Synapse, synapse_python


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """One certificate for all of localhost."""
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="session")
def synapse(tmp_path_factory, certificate):
    """The neighbor."""
    if synapse_python() is None:
        reason = f"{VARIABLE} names no environment with Synapse"
        if os.environ.get("REQUIRE_ALL") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    server = Synapse(tmp_path_factory.mktemp("synapse"), certificate)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def trellis(tmp_path_factory, certificate):
    """Our server."""
    server = FederatingServer(tmp_path_factory.mktemp("trellis"), certificate)
    server.start()
    yield server
    server.stop()
