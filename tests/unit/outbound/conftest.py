"""A door onto a world whose names are a table, and fake servers on loopback."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from core.outbound.addresses import AddressRules
from core.outbound.connecting import Connector
from core.outbound.door import Door
from core.outbound.names import Names
from core.outbound.proxies import Proxies
from core.outbound.trust import Trust
from core.outbound.web import Web
from tests.servers.names import FakeNames
from tests.servers.remote import make_certificate, running


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A certificate for localhost, 127.0.0.1 and *.hs.test."""
    return make_certificate(tmp_path_factory.mktemp("tls"), "DNS:localhost,DNS:*.hs.test,IP:127.0.0.1")


@pytest.fixture
def remote(certificate):
    """A server over TLS."""
    with running(certificate) as remote:
        yield remote


@pytest.fixture
def plain():
    """A server without TLS."""
    with running(None) as remote:
        yield remote


@pytest.fixture
def world(certificate):
    """`door`, `web` and `names`; `build` makes others. 127.0.0.1 is open unless said otherwise."""
    doors = []

    def build(*, closed=(), opened=(), proxies=None, total=50, verify=True, hosts=None):
        names = FakeNames(hosts or {"localhost": ["127.0.0.1"], "a.hs.test": ["127.0.0.1"], "b.hs.test": ["127.0.0.1"]})
        trust = Trust(verify, authorities=[str(certificate.certificate)])
        connector = Connector(Names(names), AddressRules(closed, opened), trust, proxies or Proxies())
        door = Door(connector, total)
        doors.append(door)
        return SimpleNamespace(door=door, web=Web(door), names=names, build=build)

    yield build()
    for door in doors:
        door.close()
