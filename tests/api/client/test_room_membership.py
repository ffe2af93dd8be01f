"""Membership over HTTP: who may come, who must go, and what each is told."""

import pytest

from tests.servers.trellis import Refused


def membership(user, room, of):
    return user.get(f"/v3/rooms/{room}/state/m.room.member/{of.user_id}")["membership"]


def test_a_public_room_is_open(alice, bob):
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    assert set(alice.get(f"/v3/rooms/{room}/joined_members")["joined"]) == {alice.user_id, bob.user_id}
    assert room in bob.get("/v3/joined_rooms")["joined_rooms"]


def test_an_invited_user_may_join_and_others_may_not(alice, bob, server):
    room = alice.create_room(preset="private_chat", invite=[bob.user_id])
    bob.join(room)
    with pytest.raises(Refused) as refused:
        server.register().join(room)
    assert (refused.value.status, refused.value.errcode) == (403, "M_FORBIDDEN")


def test_joining_twice_changes_nothing(alice, bob):
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    before = alice.get(f"/v3/rooms/{room}/messages", dir="b")["chunk"][0]["event_id"]
    bob.join(room)
    assert alice.get(f"/v3/rooms/{room}/messages", dir="b")["chunk"][0]["event_id"] == before


def test_a_kick_takes_effect_with_its_reason(alice, bob):
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    alice.post(f"/v3/rooms/{room}/kick", {"user_id": bob.user_id, "reason": "spam"})
    content = alice.get(f"/v3/rooms/{room}/state/m.room.member/{bob.user_id}")
    assert (content["membership"], content["reason"]) == ("leave", "spam")
    with pytest.raises(Refused) as refused:
        bob.send(room)
    assert refused.value.errcode == "M_FORBIDDEN"


def test_a_banned_user_stays_out_until_the_ban_is_lifted(alice, bob):
    room = alice.create_room(preset="public_chat")
    alice.post(f"/v3/rooms/{room}/ban", {"user_id": bob.user_id})
    with pytest.raises(Refused):
        bob.join(room)
    alice.post(f"/v3/rooms/{room}/unban", {"user_id": bob.user_id})
    bob.join(room)
    assert membership(alice, room, bob) == "join"


def test_a_member_without_power_kicks_nobody(alice, bob):
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    with pytest.raises(Refused) as refused:
        bob.post(f"/v3/rooms/{room}/kick", {"user_id": alice.user_id})
    assert refused.value.errcode == "M_FORBIDDEN"


def test_a_room_is_forgotten_only_after_it_was_left(alice):
    room = alice.create_room()
    with pytest.raises(Refused) as refused:
        alice.post(f"/v3/rooms/{room}/forget")
    assert refused.value.status == 400
    alice.post(f"/v3/rooms/{room}/leave")
    alice.post(f"/v3/rooms/{room}/forget")
    with pytest.raises(Refused) as refused:
        alice.get(f"/v3/rooms/{room}/messages", dir="b")
    assert refused.value.status == 403


def test_an_invite_can_be_turned_down(alice, bob):
    room = alice.create_room(invite=[bob.user_id])
    bob.post(f"/v3/rooms/{room}/leave", {"reason": "no, thanks"})
    assert membership(alice, room, bob) == "leave"


def test_a_knock_is_answered_by_an_invite(alice, bob):
    rules = {"type": "m.room.join_rules", "content": {"join_rule": "knock"}}
    room = alice.create_room(initial_state=[rules])
    bob.post(f"/v3/knock/{room}", {"reason": "let me in"})
    assert membership(alice, room, bob) == "knock"
    alice.post(f"/v3/rooms/{room}/invite", {"user_id": bob.user_id})
    bob.join(room)


def test_members_of_the_allowed_room_join_a_restricted_one(alice, bob, server):
    space = alice.create_room(preset="public_chat")
    allow = [{"type": "m.room_membership", "room_id": space}]
    rules = {"type": "m.room.join_rules", "content": {"join_rule": "restricted", "allow": allow}}
    room = alice.create_room(initial_state=[rules])
    bob.join(space)
    bob.join(room)
    content = alice.get(f"/v3/rooms/{room}/state/m.room.member/{bob.user_id}")
    assert content["join_authorised_via_users_server"] == alice.user_id
    with pytest.raises(Refused):
        server.register().join(room)


def test_a_member_event_sent_as_state_is_the_operation_it_amounts_to(alice, bob):
    room = alice.create_room(preset="private_chat")
    alice.set_state(room, "m.room.member", {"membership": "invite"}, bob.user_id)
    bob.set_state(room, "m.room.member", {"membership": "join", "displayname": "Bobby"}, bob.user_id)
    joined = alice.get(f"/v3/rooms/{room}/joined_members")["joined"]
    assert joined[bob.user_id] == {"display_name": "Bobby"}


def test_a_changed_profile_reaches_the_rooms(alice, bob):
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    bob.put(f"/v3/profile/{bob.user_id}/displayname", {"displayname": "Robert"})
    for _ in range(100):
        joined = alice.get(f"/v3/rooms/{room}/joined_members")["joined"]
        if joined[bob.user_id].get("display_name") == "Robert":
            return
    raise AssertionError("the member event was not updated")


def test_a_room_one_was_never_in_is_forgotten_already(alice, bob):
    room = alice.create_room()
    assert bob.post(f"/v3/rooms/{room}/forget") == bob.post("/v3/rooms/!nowhere:example.org/forget") == {}


def test_a_join_carries_what_the_client_adds_but_not_what_is_the_servers_to_say(alice, bob):
    room = alice.create_room(preset="public_chat")
    others = {"membership": "ban", "displayname": "Eve", "join_authorised_via_users_server": alice.user_id}
    bob.post(f"/v3/join/{room}", {"org.example.mood": {"is": ["glad"]}, "reason": "cake", **others})
    content = alice.get(f"/v3/rooms/{room}/state/m.room.member/{bob.user_id}")
    own = bob.user_id.partition(":")[0][1:]
    assert content == {
        "membership": "join", "displayname": own, "org.example.mood": {"is": ["glad"]}, "reason": "cake",
    }  # fmt: skip
