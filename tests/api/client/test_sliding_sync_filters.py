"""The filters of sliding sync's lists."""

from __future__ import annotations

import pytest

from tests.api.client.sliding_client import ask, one_list
from tests.api.client.sync_room import at

ENCRYPTION = {"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}


@pytest.fixture
def rooms(alice, bob):
    """One room of each sort, by its sort."""
    found = {
        "plain": alice.create_room(),
        "encrypted": alice.create_room(initial_state=[ENCRYPTION]),
        "space": alice.create_room(creation_content={"type": "m.space"}),
        "direct": alice.create_room(),
        "tagged": alice.create_room(),
        "invite": bob.create_room(invite=[alice.user_id]),
    }
    account = f"/v3/user/{alice.user_id}"
    alice.put(f"{account}/account_data/m.direct", {bob.user_id: [found["direct"]]})
    alice.put(f"{account}/rooms/{found['tagged']}/tags/m.favourite", {"order": 0.5})
    alice.set_state(found["space"], "m.space.child", {"via": ["localhost"]}, found["plain"])
    return found


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, {"plain", "encrypted", "space", "direct", "tagged", "invite"}),
        ({"is_encrypted": True}, {"encrypted"}),
        ({"is_dm": True}, {"direct"}),
        ({"is_dm": False, "is_invite": False}, {"plain", "encrypted", "space", "tagged"}),
        ({"is_invite": True}, {"invite"}),
        ({"room_types": ["m.space"]}, {"space"}),
        ({"room_types": [None]}, {"plain", "encrypted", "direct", "tagged", "invite"}),
        ({"not_room_types": ["m.space"], "is_encrypted": False}, {"plain", "direct", "tagged", "invite"}),
        ({"tags": ["m.favourite"]}, {"tagged"}),
        ({"not_tags": ["m.favourite"], "is_dm": True}, {"direct"}),
        ({"room_name_like": "nobody's"}, set()),
    ],
)
def test_filters_choose_rooms(alice, rooms, filters, expected):
    answer = ask(alice, one_list(0, filters=filters))
    assert set(answer["rooms"]) == {rooms[name] for name in expected}
    assert answer["lists"]["all"]["count"] == len(expected)


def test_a_list_may_be_of_a_part_of_the_name(alice, rooms):
    filters = {"room_name_like": "qUIET pl"}
    assert ask(alice, one_list(0, filters=filters))["rooms"] == {}
    alice.set_state(rooms["plain"], "m.room.name", {"name": "A Quiet Place"})
    assert set(ask(alice, one_list(0, filters=filters))["rooms"]) == {rooms["plain"]}


def test_a_list_of_a_space_has_its_children(alice, rooms):
    answer = ask(alice, one_list(0, filters={"spaces": [rooms["space"]]}))
    assert set(answer["rooms"]) == {rooms["plain"]}


def test_a_room_enters_a_list_when_its_state_does(alice, rooms):
    body = one_list(0, filters={"is_encrypted": True})
    pos = ask(alice, body)["pos"]
    alice.set_state(rooms["plain"], "m.room.encryption", ENCRYPTION["content"])
    answer = ask(alice, body, pos, timeout=5000)
    assert answer["rooms"][rooms["plain"]]["initial"] is True
    assert answer["lists"]["all"]["count"] == 2


def test_a_room_enters_a_list_when_it_is_tagged(alice, rooms):
    body = one_list(0, filters={"tags": ["u.work"]})
    pos = ask(alice, body)["pos"]
    alice.put(f"/v3/user/{alice.user_id}/rooms/{rooms['plain']}/tags/u.work", {})
    assert set(ask(alice, body, pos, timeout=5000)["rooms"]) == {rooms["plain"]}


def test_a_room_that_becomes_direct_is_told_as_such(alice, rooms):
    pos = ask(alice, one_list(0))["pos"]
    alice.put(f"/v3/user/{alice.user_id}/account_data/m.direct", {"@x:y": [rooms["plain"], rooms["direct"]]})
    answer = ask(alice, one_list(0), pos, timeout=5000)
    assert {room: part["is_dm"] for room, part in answer["rooms"].items()} == {rooms["plain"]: True}


def test_invites_of_ignored_users_are_not_told(alice, bob, rooms):
    pos = ask(alice, one_list(0))["pos"]
    ignored = {"ignored_users": {bob.user_id: {}}}
    alice.put(f"/v3/user/{alice.user_id}/account_data/m.ignored_user_list", ignored)
    assert ask(alice, one_list(0), pos)["lists"]["all"]["count"] == 5
    assert rooms["invite"] not in ask(alice, one_list(0))["rooms"]


def test_an_invite_of_an_ignored_user_leaves_a_room_that_was_left_as_it_was(alice, bob, rooms):
    room = bob.create_room(preset="public_chat")
    alice.join(room)
    bob.post(f"{at(room)}/kick", {"user_id": alice.user_id})
    first = ask(alice, one_list(0))
    ignored = {"ignored_users": {bob.user_id: {}}}
    alice.put(f"/v3/user/{alice.user_id}/account_data/m.ignored_user_list", ignored)
    bob.post(f"{at(room)}/invite", {"user_id": alice.user_id})
    assert room not in ask(alice, one_list(0), first["pos"])["rooms"]
    assert room not in ask(alice, one_list(0))["rooms"]


def test_an_invite_is_gone_when_an_ignored_user_invites_again(server, alice, bob, rooms):
    carol = server.register()
    bob.post(f"{at(rooms['invite'])}/invite", {"user_id": carol.user_id})
    carol.join(rooms["invite"])
    ignored = {"ignored_users": {carol.user_id: {}}}
    alice.put(f"/v3/user/{alice.user_id}/account_data/m.ignored_user_list", ignored)
    pos = ask(alice, one_list(0))["pos"]
    carol.post(f"{at(rooms['invite'])}/invite", {"user_id": alice.user_id})
    answer = ask(alice, one_list(0), pos, timeout=5000)
    assert answer["rooms"][rooms["invite"]]["membership"] == "leave"
    assert answer["lists"]["all"]["count"] == 5


def test_an_invite_that_is_turned_down_is_gone(alice, rooms):
    pos = ask(alice, one_list(0))["pos"]
    alice.post(f"{at(rooms['invite'])}/leave")
    answer = ask(alice, one_list(0), pos, timeout=5000)
    assert answer["rooms"][rooms["invite"]]["membership"] == "leave"
    assert answer["lists"]["all"]["count"] == 5
