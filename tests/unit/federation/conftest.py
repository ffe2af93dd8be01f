"""The federation client over a door whose names are a table, with a database of its own."""

from __future__ import annotations

from random import Random
from types import SimpleNamespace

import pytest

from core.federation.allowed_servers import AllowedServers
from core.federation.backoff import Backoff
from core.federation.discovery import Discovery
from core.federation.signed_client import Patience, Patiences, SignedClient
from core.federation.well_known import WellKnown
from core.ids import ServerName
from core.outbound.addresses import AddressRules
from core.outbound.connecting import Connector
from core.outbound.door import Door
from core.outbound.names import Names
from core.outbound.proxies import Proxies
from core.outbound.trust import Trust
from core.outbound.web import Web
from core.storage.connections import SqliteSettings
from core.storage.destinations import DestinationStore
from core.storage.opening import open_storage
from tests.servers.names import FakeNames
from tests.servers.remote import make_certificate, new_key, running

OWN = ServerName("own.test")


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A certificate for localhost, 127.0.0.1 and *.hs.test."""
    return make_certificate(tmp_path_factory.mktemp("tls"), "DNS:localhost,DNS:*.hs.test,IP:127.0.0.1")


@pytest.fixture
def remote(certificate):
    """Another server."""
    with running(certificate) as remote:
        yield remote


class Clock:
    """A clock that stands still unless told; starts at a round number of seconds."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    """The clock of back-offs and caches."""
    return Clock()


@pytest.fixture
def storage(tmp_path):
    """An open database."""
    opened = open_storage(SqliteSettings(tmp_path / "hs.db"), OWN)
    yield opened
    opened.close()


@pytest.fixture
def backoff(storage, clock):
    """Back-off as configured by default."""
    return Backoff(DestinationStore(storage.database), storage.writer, 600_000, 2, 7 * 86_400_000, clock, Random(1))


@pytest.fixture
def world(certificate):
    """`door`, `web`, `names` (what DNS says), `resolver`."""
    table = FakeNames({"localhost": ["127.0.0.1"]})
    names = Names(table)
    trust = Trust(authorities=[str(certificate.certificate)])
    door = Door(Connector(names, AddressRules(), trust, Proxies()), 50)
    yield SimpleNamespace(door=door, web=Web(door), names=table, resolver=names)
    door.close()


@pytest.fixture
def client(world, backoff, clock):
    """A signed client that does not wait long."""
    discovery = Discovery(world.resolver, WellKnown(world.web, clock))
    patiences = Patiences(Patience(2_000, 2, 5), Patience(2_000, 3, 5), Patience(2_000, 0, 0))
    return SignedClient(new_key("own"), AllowedServers(OWN, None), discovery, world.door, backoff, patiences)
