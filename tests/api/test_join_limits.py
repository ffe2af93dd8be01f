"""How fast rooms may be joined: the limits of Synapse's names, each for what it says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.servers.trellis import UNLIMITED, Refused, Server, User


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    few = {"per_second": 0.001, "burst_count": 2}
    server = Server(tmp_path, rc_joins={"local": UNLIMITED, "remote": few}, rc_joins_per_room=few)
    yield server.start()
    server.stop()


def refusal_of_join(user: User, room: str) -> Refused:
    with pytest.raises(Refused) as refused:
        user.post(f"/v3/join/{quote(room, safe='')}", {})
    return refused.value


def test_joins_of_one_room_and_joins_through_others_are_limited_apart(server: Server) -> None:
    alice = server.register()
    room = alice.create_room(preset="public_chat")
    for _ in range(2):
        server.register().join(room)
    late = server.register()
    assert refusal_of_join(late, room).body["limiter"] == "rc_joins_per_room"
    far = [refusal_of_join(late, f"!nowhere{number}:127.0.0.1:1") for number in range(3)]
    assert [one.body.get("limiter") for one in far] == [None, None, "rc_joins.remote"]
    late.join(alice.create_room(preset="public_chat"))
