"""Rooms of other servers that are too complex to be joined."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.servers.trellis import Refused


@pytest.fixture(scope="module")
def careful(make_server):
    """A server that joins rooms of up to 15 entries of state."""
    limits = {"enabled": True, "complexity": 0.03, "complexity_error": "Too large.", "admins_can_join": True}
    return make_server(limit_remote_rooms=limits)


def join_via(user, room, server):
    """Join through a server."""
    user.post(f"/v3/join/{quote(room)}", {}, via=server.name)


def refused(user, room, server):
    """That the room was refused, and is not the user's."""
    with pytest.raises(Refused) as caught:
        join_via(user, room, server)
    assert (caught.value.status, caught.value.errcode) == (400, "M_RESOURCE_LIMIT_EXCEEDED")
    assert caught.value.body["error"] == "Too large."
    assert user.get("/v3/joined_rooms") == {"joined_rooms": []}


def large_room(user, **options):
    """A room with 20 entries more than usual."""
    entries = [{"type": "org.example.entry", "state_key": str(number), "content": {}} for number in range(20)]
    return user.create_room(initial_state=entries, **options)


def test_a_public_room_is_refused_before_anybody_hears_of_it(alpha, careful):
    alice, bob = alpha.register(), careful.register()
    room = large_room(alice, preset="public_chat")
    refused(bob, room, alpha)
    assert list(alice.get(f"/v3/rooms/{quote(room)}/joined_members")["joined"]) == [alice.user_id]
    join_via(bob, alice.create_room(preset="public_chat"), alpha)


def test_a_room_whose_server_does_not_tell_is_left_at_once(alpha, careful):
    alice, bob = alpha.register(), careful.register()
    room = large_room(alice, invite=[bob.user_id])
    refused(bob, room, alpha)


def test_administrators_may_join_it_all_the_same(alpha, careful):
    join_via(careful.register(admin=True), large_room(alpha.register(), preset="public_chat"), alpha)
