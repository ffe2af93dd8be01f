"""Our users in rooms of another server of ours, and theirs in ours."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.servers.trellis import Refused
from tests.servers.watching import Watcher


@pytest.fixture
def alice(alpha):
    """A user of the one server."""
    return alpha.register()


@pytest.fixture
def bob(beta):
    """A user of the other."""
    return beta.register()


def members(user, room_id):
    """Who is joined, as the user's server knows it."""
    return set(user.get(f"/v3/rooms/{quote(room_id)}/joined_members")["joined"])


def join_via(user, room_id, server):
    """Join through a server."""
    user.post(f"/v3/join/{quote(room_id)}", {}, via=server.name)


@pytest.mark.parametrize("version", ["1", "3", "6", "10", "12"])
def test_a_room_is_joined_through_another_server(alpha, alice, bob, version):
    room_id = alice.create_room(preset="public_chat", room_version=version, topic="There")
    join_via(bob, room_id, alpha)
    assert members(bob, room_id) == members(alice, room_id) == {alice.user_id, bob.user_id}
    assert bob.get(f"/v3/rooms/{quote(room_id)}/state/m.room.topic")["topic"] == "There"


def test_a_room_is_joined_by_alias(alpha, alice, bob):
    alice.create_room(preset="public_chat", room_alias_name="far")
    bob.join(f"#far:{alpha.name}")


def test_a_second_user_joins_without_asking_again(alpha, beta, alice, bob):
    room_id = alice.create_room(preset="public_chat")
    join_via(bob, room_id, alpha)
    carol = beta.register()
    carol.join(room_id)
    assert members(carol, room_id) >= {alice.user_id, bob.user_id, carol.user_id}


def test_the_next_candidate_is_tried(alpha, alice, bob):
    room_id = alice.create_room(preset="public_chat")
    bob.post(f"/v3/join/{quote(room_id)}?via=localhost:1&via={alpha.name}", {})
    assert bob.user_id in members(alice, room_id)


def test_a_refusal_is_passed_on(alpha, alice, bob):
    room_id = alice.create_room(preset="private_chat")
    with pytest.raises(Refused) as caught:
        join_via(bob, room_id, alpha)
    assert (caught.value.status, caught.value.errcode) == (403, "M_FORBIDDEN")


def test_an_invite_reaches_the_other_server_and_is_taken(alice, bob):
    room_id = alice.create_room(preset="private_chat", name="Inner")
    alice.post(f"/v3/rooms/{quote(room_id)}/invite", {"user_id": bob.user_id})
    told = bob.sync()["rooms"]["invite"][room_id]["invite_state"]["events"]
    assert {"m.room.create", "m.room.name", "m.room.member"} <= {event["type"] for event in told}
    bob.join(room_id)
    assert members(alice, room_id) == {alice.user_id, bob.user_id}
    assert room_id in bob.sync()["rooms"]["join"]


def test_an_invite_is_rejected(alice, bob):
    room_id = alice.create_room(preset="private_chat")
    alice.post(f"/v3/rooms/{quote(room_id)}/invite", {"user_id": bob.user_id})
    bob.post(f"/v3/rooms/{quote(room_id)}/leave")
    assert room_id not in bob.sync().get("rooms", {}).get("invite", {})
    member = alice.get(f"/v3/rooms/{quote(room_id)}/state/m.room.member/{quote(bob.user_id)}")
    assert member["membership"] == "leave"


def test_an_invite_is_rejected_while_the_other_server_is_away(make_server, bob):
    away = make_server()
    alice = away.register()
    room_id = alice.create_room(preset="private_chat")
    alice.post(f"/v3/rooms/{quote(room_id)}/invite", {"user_id": bob.user_id})
    away.stop()
    bob.post(f"/v3/rooms/{quote(room_id)}/leave")
    assert room_id not in bob.sync().get("rooms", {}).get("invite", {})


def test_a_knock_reaches_the_other_server_and_is_answered(alpha, alice, bob):
    rules = {"type": "m.room.join_rules", "state_key": "", "content": {"join_rule": "knock"}}
    room_id = alice.create_room(initial_state=[rules], name="Door")
    bob.post(f"/v3/knock/{quote(room_id)}?via={alpha.name}", {})
    told = bob.sync()["rooms"]["knock"][room_id]["knock_state"]["events"]
    assert "m.room.name" in {event["type"] for event in told}
    alice.post(f"/v3/rooms/{quote(room_id)}/invite", {"user_id": bob.user_id})
    bob.join(room_id)
    assert bob.user_id in members(alice, room_id)


def knocked(alpha, alice, bob):
    """A room that the one has knocked on."""
    rules = {"type": "m.room.join_rules", "state_key": "", "content": {"join_rule": "knock"}}
    room_id = alice.create_room(initial_state=[rules], name="Door")
    bob.post(f"/v3/knock/{quote(room_id)}", {}, via=alpha.name)
    assert room_id in bob.sync()["rooms"]["knock"]
    return room_id


def test_a_knock_is_turned_away(alpha, alice, bob):
    watcher = Watcher(bob)
    room_id = knocked(alpha, alice, bob)
    alice.post(f"/v3/rooms/{quote(room_id)}/kick", {"user_id": bob.user_id})
    watcher.membership(room_id, "leave")


def test_a_knock_is_withdrawn_also_where_the_rooms_id_names_no_server(alpha, alice, bob):
    room_id = knocked(alpha, alice, bob)
    bob.post(f"/v3/rooms/{quote(room_id)}/leave")
    member = alice.get(f"/v3/rooms/{quote(room_id)}/state/m.room.member/{quote(bob.user_id)}")
    assert member["membership"] == "leave"


def test_presence_is_told_to_the_other_server(alpha, alice, bob):
    room_id = alice.create_room(preset="public_chat")
    join_via(bob, room_id, alpha)
    watcher = Watcher(bob)
    alice.put(f"/v3/presence/{quote(alice.user_id)}/status", {"presence": "online", "status_msg": "here"})

    def is_shown(answer):
        events = answer.get("presence", {}).get("events", [])
        return any(one["sender"] == alice.user_id and one["content"].get("status_msg") == "here" for one in events)

    watcher.until(is_shown, "her presence")


def test_a_restricted_room_is_joined_through_its_resident(alpha, alice, bob):
    space = alice.create_room(preset="public_chat")
    rules = {"join_rule": "restricted", "allow": [{"type": "m.room_membership", "room_id": space}]}
    inner = alice.create_room(initial_state=[{"type": "m.room.join_rules", "state_key": "", "content": rules}])
    join_via(bob, space, alpha)
    join_via(bob, inner, alpha)
    assert bob.user_id in members(alice, inner)


def test_a_room_that_was_left_is_entered_again(alpha, alice, bob):
    room_id = alice.create_room(preset="public_chat")
    join_via(bob, room_id, alpha)
    bob.post(f"/v3/rooms/{quote(room_id)}/leave")
    alice.set_state(room_id, "m.room.topic", {"topic": "Meanwhile"})
    join_via(bob, room_id, alpha)
    assert bob.get(f"/v3/rooms/{quote(room_id)}/state/m.room.topic")["topic"] == "Meanwhile"


def test_who_is_invited_right_after_a_ban_was_lifted_stays_invited(alpha, beta):
    """The invite goes to the other server directly, and may be there before the news that the ban is over."""
    alice, bob = alpha.register(), beta.register()
    room_id = alice.create_room(preset="private_chat", invite=[bob.user_id])
    path = f"/v3/rooms/{quote(room_id)}"
    bob.join(room_id, via=alpha.name)
    watcher = Watcher(bob)
    alice.post(f"{path}/ban", {"user_id": bob.user_id})
    watcher.membership(room_id, "leave")
    for what in ("unban", "invite"):
        alice.post(f"{path}/{what}", {"user_id": bob.user_id})
    watcher.membership(room_id, "invite")
    bob.join(room_id, via=alpha.name)
    Watcher(alice).member(room_id, bob.user_id, "join")
