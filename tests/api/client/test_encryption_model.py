"""No stale device after quiet, and no one-time key twice, whatever happens in between."""

from __future__ import annotations

import pytest

from tests.api.client.encryption_world import World
from tests.servers.trellis import Server

STEPS = 30
CLAIMS = 100_000
KEYS_AT_ONCE = 900


@pytest.fixture(params=["sqlite", pytest.param("mariadb", marks=pytest.mark.mariadb)])
def server(request, tmp_path):
    """A server on either engine, which the test may kill."""
    if request.param == "sqlite":
        server = Server(tmp_path)
        server.start()
        yield server
        server.stop()
        return
    with request.getfixturevalue("mariadb").schema() as settings:
        args = {"user": settings.user, "database": settings.database, "unix_socket": settings.unix_socket}
        server = Server(tmp_path, {"name": "mysql", "args": args})
        server.start()
        yield server
        server.stop()


def test_nobody_believes_in_a_device_that_is_gone_and_no_key_is_given_twice(server):
    world = World(server, seed=6)
    for _ in range(STEPS):
        world.step()
    world.check()


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_hundred_thousand_keys_are_each_given_once(server):
    world = World(server, seed=7, keys=KEYS_AT_ONCE)
    while len(world.claimed) < CLAIMS:
        world.step()
        if not world.claim_once():
            for device in world.devices:
                device.upload(KEYS_AT_ONCE)
    world.check()
