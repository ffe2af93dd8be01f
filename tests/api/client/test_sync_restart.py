"""Tokens and waiting syncs across stops and starts of the server."""

from __future__ import annotations

import gevent
import pytest

from tests.api.client.sync_room import NOTHING, bodies, joined, state
from tests.servers.trellis import Server


@pytest.fixture
def own_server(tmp_path):
    server = Server(tmp_path).start()
    yield server
    server.stop()


def test_stopping_ends_waiting_syncs_with_an_ordinary_empty_answer(own_server):
    alice = own_server.register()
    token = alice.sync()["next_batch"]
    waiting = gevent.spawn(alice.sync, token, 60_000, filter='{"presence":{"not_types":["*"]}}')
    gevent.sleep(0.3)
    stopping = gevent.spawn(own_server.stop)
    assert list(waiting.get(timeout=10)) == NOTHING
    assert stopping.get(timeout=15) == 0


def test_tokens_stay_valid_when_the_server_starts_again(own_server):
    alice, bob = own_server.register(), own_server.register()
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    token = alice.sync()["next_batch"]
    alice.set_state(room, "m.room.topic", {"topic": "t"})
    for number in range(10):
        bob.send(room, f"m{number}")
    own_server.kill()
    own_server.start()
    answer = alice.sync(token)
    part = joined(answer, room)
    assert bodies(part) == [f"m{number}" for number in range(10)]
    assert part["timeline"]["limited"] is True
    assert state(part) == {("m.room.topic", ""): {"topic": "t"}}
    bob.send(room, "after")
    assert bodies(joined(alice.sync(answer["next_batch"]), room)) == ["after"]
