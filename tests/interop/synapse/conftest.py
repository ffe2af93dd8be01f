"""A Synapse beside one of our servers; skipped with a reason where no Synapse is named.

One of each serves the whole session. Every test of a scenario runs twice, with either server as the room's home; each
makes users and rooms of its own. The servers believe one private authority, and check each other's certificates.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import pytest

from tests.servers.federating import FederatingServer
from tests.servers.remote import make_certificate
from tests.servers.synapse import VARIABLE, Synapse, synapse_python
from tests.servers.trellis import Server, User
from tests.servers.watching import Watcher


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """One certificate for all of localhost."""
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="session")
def trust(certificate):
    """Settings with which a server believes that certificate, and no other."""
    return {"federation_verify_certificates": True, "federation_custom_ca_list": [str(certificate.certificate)]}


@pytest.fixture(scope="session")
def synapse(tmp_path_factory, certificate, trust):
    """The neighbor."""
    if synapse_python() is None:
        reason = f"{VARIABLE} names no environment with Synapse"
        if os.environ.get("REQUIRE_ALL") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    server = Synapse(
        tmp_path_factory.mktemp("synapse"),
        certificate,
        host="127.0.0.1",  # access lists look at hosts, so the two must not share one
        federation={"destination_min_retry_interval": "1s", "destination_max_retry_interval": "2s"},
        allow_public_rooms_over_federation=True,
        room_list_publication_rules=[{"action": "allow"}],
        **trust,
    )
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def trellis(tmp_path_factory, certificate, trust):
    """Our server."""
    server = FederatingServer(
        tmp_path_factory.mktemp("trellis"), certificate, allow_public_rooms_over_federation=True, **trust
    )
    server.start()
    yield server
    server.stop()


@dataclass(frozen=True)
class Sides:
    """The server where rooms are made, and the other."""

    home: Server
    away: Server

    def users(self) -> tuple[User, User]:
        """A new user of each."""
        return self.home.register(), self.away.register()

    def watchers(self) -> tuple[Watcher, Watcher]:
        """A new user of each, syncing."""
        host, guest = self.users()
        return Watcher(host), Watcher(guest)


@pytest.fixture(params=["home", "away"], ids=["rooms of ours", "rooms of Synapse"])
def sides(request, trellis, synapse):
    """Both ways round."""
    return Sides(trellis, synapse) if request.param == "home" else Sides(synapse, trellis)


@dataclass(frozen=True)
class Shared:
    """A public room with a user of either side in it."""

    room_id: str
    host: Watcher
    guest: Watcher

    def both(self) -> tuple[Watcher, Watcher]:
        """Both users."""
        return self.host, self.guest


@pytest.fixture
def shared(sides):
    """Such a room."""
    return share(sides)


def share(sides: Sides, **options: object) -> Shared:
    """Make a room at home, which somebody from away joins."""
    host, guest = sides.watchers()
    room_id = host.user.create_room(**{"preset": "public_chat", **options})
    guest.user.join(room_id, via=sides.home.name)
    host.member(room_id, guest.user.user_id, "join")
    guest.membership(room_id, "join")
    return Shared(room_id, host, guest)
