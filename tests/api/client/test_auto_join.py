"""Rooms that new users find themselves in."""

from __future__ import annotations

import time
from urllib.parse import quote

import pytest

from tests.servers.trellis import Server


def joined(user, count):
    """The rooms a user is in, once there are so many."""
    deadline = time.monotonic() + 10
    while len(rooms := user.get("/v3/joined_rooms")["joined_rooms"]) < count:
        assert time.monotonic() < deadline, f"{user.user_id} is in {rooms}"
        time.sleep(0.05)
    return rooms


@pytest.fixture(scope="module")
def welcoming(tmp_path_factory):
    """A server with two rooms for everybody, which others may not enter; one invites, and one is not ours."""
    server = Server(tmp_path_factory.mktemp("welcoming"), autocreate_auto_join_rooms_federated=False)
    server.config["auto_join_rooms"] = [f"#welcome:{server.name}", f"#news:{server.name}", "#gone:127.0.0.1:1"]
    server.config["auto_join_mxid_localpart"] = "host"
    server.config["autocreate_auto_join_room_preset"] = "private_chat"
    server.config["allow_guest_access"] = True
    server.rewrite_config()
    server.start()
    server.register("host")
    yield server
    server.stop()


def test_new_users_are_taken_into_the_rooms_which_their_host_makes_and_invites_to(welcoming):
    alice = welcoming.register()
    rooms = joined(alice, 2)
    welcome = alice.get(f"/v3/directory/room/{quote(f'#welcome:{welcoming.name}')}")["room_id"]
    assert welcome in rooms
    create = next(e for e in alice.get(f"/v3/rooms/{welcome}/state") if e["type"] == "m.room.create")
    assert (create["sender"], create["content"]["m.federate"]) == (f"@host:{welcoming.name}", False)


def test_who_has_left_such_a_room_is_not_taken_there_again(welcoming):
    alice, admin = welcoming.register(), welcoming.register("admin", admin=True)
    room = joined(alice, 2)[0]
    joined(admin, 2)
    alice.post(f"/v3/rooms/{room}/leave")
    alice.post("/v3/logout/all")
    later = welcoming.login(alice)
    joined(welcoming.register(), 2)  # what happened before has been dealt with
    assert room not in later.get("/v3/joined_rooms")["joined_rooms"]
