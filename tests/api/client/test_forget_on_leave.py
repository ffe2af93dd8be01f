"""With `forget_rooms_on_leave` a room is forgotten as soon as somebody is out of it."""

import pytest

from tests.servers.trellis import Refused, Server


@pytest.fixture(scope="module")
def forgetful(tmp_path_factory):
    """A server that forgets."""
    server = Server(tmp_path_factory.mktemp("forgetful"), forget_rooms_on_leave=True)
    yield server.start()
    server.stop()


def has_forgotten(user, room):
    """Whether the room is forgotten, once the consumer had its turn: its users' syncs tell of nothing else."""
    for _ in range(50):
        try:
            user.get(f"/v3/rooms/{room}/messages", dir="b")
        except Refused as refused:
            return "forgotten" in refused.body["error"]
        user.sync(user.sync()["next_batch"], timeout=50)
    return False


@pytest.mark.parametrize("way", ["leave", "kick", "ban"])
def test_whoever_is_out_has_forgotten_the_room(forgetful, way):
    alice, bob = forgetful.register(), forgetful.register()
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    by, body = (bob, {}) if way == "leave" else (alice, {"user_id": bob.user_id})
    by.post(f"/v3/rooms/{room}/{way}", body)
    assert has_forgotten(bob, room)
    assert bob.sync(filter='{"room":{"include_leave":true}}').get("rooms", {}).get("leave", {}) == {}
