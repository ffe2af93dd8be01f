"""A room of one server of ours, shared with another of ours and with a hostile one."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

import pytest

from tests.servers.hostile_server import Hostile
from tests.servers.trellis import Refused, Server
from tests.servers.watching import Watcher, state_content

VERSIONS = ["2", "12", *(pytest.param(version, marks=pytest.mark.soak) for version in ("6", "10"))]


@dataclass
class Scene:
    """Alice's room; Bob is in it from an honest server, `hostile` from the other one."""

    server: Server
    alice: Watcher
    bob: Watcher
    hostile: Hostile

    @property
    def room_id(self) -> str:
        """The room."""
        return self.hostile.room_id

    def state(self, kind: str, key: str = "") -> dict | None:
        """What Alice's server takes to be the state."""
        return state_content(self.alice.user, self.room_id, kind, key)

    def shown(self, event_id: str) -> dict | None:
        """The event as Alice sees it; None where she does not."""
        try:
            path = f"/v3/rooms/{quote(self.room_id)}/event/{quote(event_id, safe='')}"
            found: dict = self.alice.user.get(path)
        except Refused as refused:
            if refused.status != 404:
                raise
            return None
        return found

    def mentions(self, event_id: str) -> int:
        """How many lines of the log name the event as dropped or refused."""
        lines = (self.server.folder / "homeserver.log").read_text().splitlines()
        words = ("is dropped", "was refused", "was soft-failed", "is given up")
        return sum(event_id in line and any(word in line for word in words) for line in lines)

    def is_usable(self) -> None:
        """The honest go on talking, and so does the hostile server, once it is honest."""
        for speaker, listener in ((self.alice, self.bob), (self.bob, self.alice)):
            event_id = speaker.user.send(self.room_id, "still here")
            assert listener.event(self.room_id, event_id)["content"]["body"] == "still here"
        event_id, pdu = self.hostile.at(event_id_seen(self.alice, self.room_id)).event("honest")
        self.hostile.transact(pdu)
        self.alice.event(self.room_id, event_id)


def event_id_seen(watcher: Watcher, room_id: str) -> str:
    """The last event a user has seen of a room."""
    return str(watcher.timelines[room_id][-1]["event_id"])


@pytest.fixture
def scene_of(alpha, beta, remote):
    """Make such a room."""

    def make(version: str = "11", **options: object) -> Scene:
        alice, bob = Watcher(alpha.register()), Watcher(beta.register())
        room_id = alice.user.create_room(**{"preset": "public_chat", "room_version": version, **options})
        bob.user.join(room_id, via=alpha.name)
        hostile = Hostile(remote, alpha, room_id, "mallory")
        hostile.join()
        alice.member(room_id, bob.user.user_id, "join")
        alice.member(room_id, hostile.user_id, "join")
        bob.membership(room_id, "join")
        return Scene(alpha, alice, bob, hostile)

    return make


@pytest.fixture(params=VERSIONS)
def scene(request, scene_of):
    """A room of each kind of version."""
    return scene_of(request.param)


@pytest.fixture
def plain(scene_of):
    """A room of one version, where the version does not matter."""
    return scene_of()
