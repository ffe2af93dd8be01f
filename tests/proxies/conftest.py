"""A server behind a proxy of either kind, and a fake server that signs requests to it."""

from __future__ import annotations

import pytest
import yaml

from tests.proxies.proxies import haproxy, nginx
from tests.servers.remote import make_certificate, running
from tests.servers.trellis import Server


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """One certificate for all of localhost."""
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="session")
def behind(tmp_path_factory):
    """A server that believes its proxy, and counts sign-ins by the client's address."""
    server = Server(
        tmp_path_factory.mktemp("server"),
        federation_verify_certificates=False,
        ip_range_blacklist=[],
        trusted_key_servers=[],
    )
    server.config["listeners"][0]["x_forwarded"] = True
    server.config_path.write_text(yaml.safe_dump(server.config))
    yield server.start()
    server.stop()


@pytest.fixture(scope="session", params=["nginx", "haproxy"])
def proxy(request, tmp_path_factory, certificate, behind):
    """The sample configuration of each proxy, running."""
    start = {"nginx": nginx, "haproxy": haproxy}[request.param]
    with start(tmp_path_factory.mktemp("proxy"), certificate, behind.port) as running_proxy:
        yield running_proxy


@pytest.fixture
def remote(certificate):
    """A server that signs."""
    with running(certificate) as remote:
        yield remote
