"""Invites, joins, leaves, kicks, bans and knocks as syncs tell them."""

from __future__ import annotations

import pytest

from tests.api.client.sync_room import NOTHING, act, bodies, events, joined, left, state, wanted


def visible(room_visibility: str) -> list[dict]:
    """An initial state that sets the history visibility."""
    content = {"history_visibility": room_visibility}
    return [{"type": "m.room.history_visibility", "state_key": "", "content": content}]


def test_an_invite_shows_the_stripped_state_with_the_invite_itself(alice, bob):
    token = bob.sync()["next_batch"]
    room = alice.create_room(name="Garden", topic="t", invite=[bob.user_id])
    shown = bob.sync(token)["rooms"]["invite"][room]["invite_state"]["events"]
    assert all(set(event) == {"content", "sender", "state_key", "type"} for event in shown)
    by_key = {(event["type"], event["state_key"]): event["content"] for event in shown}
    assert by_key["m.room.name", ""] == {"name": "Garden"}
    assert by_key["m.room.member", bob.user_id]["membership"] == "invite"
    assert by_key["m.room.member", alice.user_id]["membership"] == "join"
    assert ("m.room.create", "") in by_key
    assert ("m.room.power_levels", "") not in by_key


def test_who_accepts_an_invite_gets_the_whole_room(alice, bob):
    room = alice.create_room(invite=[bob.user_id])
    alice.send(room, "early")
    token = bob.sync()["next_batch"]
    bob.join(room)
    answer = bob.sync(token)
    part = joined(answer, room)
    assert "invite" not in answer["rooms"]
    assert "early" in bodies(part)
    full = {**state(part), **{(e["type"], e["state_key"]): e["content"] for e in events(part) if "state_key" in e}}
    assert ("m.room.create", "") in full
    assert full["m.room.member", bob.user_id]["membership"] == "join"


def test_a_member_who_joins_is_told_to_the_others_with_a_new_summary(alice, bob):
    room = alice.create_room(preset="public_chat")
    token = alice.sync()["next_batch"]
    bob.join(room)
    part = joined(alice.sync(token), room)
    assert [event["state_key"] for event in events(part)] == [bob.user_id]
    assert part["summary"]["m.joined_member_count"] == 2


def test_who_leaves_gets_the_room_up_to_the_leave_and_no_further(alice, bob):
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    token = bob.sync()["next_batch"]
    alice.send(room, "seen")
    act(bob, room, "leave")
    alice.send(room, "not seen")
    alice.set_state(room, "m.room.topic", {"topic": "not seen either"})
    answer = bob.sync(token)
    part = left(answer, room)
    assert bodies(part) == ["seen"]
    assert state(part) == {}
    assert events(part)[-1]["content"]["membership"] == "leave"
    assert joined(answer, room) == {}
    alice.send(room, "still not")
    assert list(bob.sync(answer["next_batch"])) == NOTHING


@pytest.mark.parametrize(("verb", "membership"), [("kick", "leave"), ("ban", "ban")])
def test_who_is_put_out_is_told_so(alice, bob, verb, membership):
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    token = bob.sync()["next_batch"]
    act(alice, room, verb, bob)
    (event,) = events(left(bob.sync(token), room))
    assert event["content"]["membership"] == membership
    assert event["sender"] == alice.user_id


@pytest.mark.parametrize("key", ["state", "state_after"])
@pytest.mark.parametrize("is_at_once", [True, False])
def test_who_is_banned_after_a_kick_is_told_so_wherever_they_look(alice, bob, key, is_at_once):
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    token = bob.sync()["next_batch"]
    act(alice, room, "kick", bob)
    if not is_at_once:
        token = bob.sync(token)["next_batch"]
    alice.set_state(room, "m.room.topic", {"topic": "not for bob"})
    act(alice, room, "ban", bob)
    alice.set_state(room, "m.room.name", {"name": "not for bob either"})
    part = left(bob.sync(token, **({"use_state_after": "true"} if key == "state_after" else {})), room)
    assert events(part)[-1]["content"]["membership"] == "ban"
    told = {(event["type"], event["state_key"]): event["content"] for event in part[key]["events"]}
    assert not {("m.room.topic", ""), ("m.room.name", "")} & told.keys()
    if key == "state_after":
        assert told["m.room.member", bob.user_id]["membership"] == "ban"


def test_a_leave_behind_a_gap_carries_the_state_that_changed_before_it(alice, bob):
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    token = bob.sync()["next_batch"]
    alice.set_state(room, "m.room.topic", {"topic": "t"})
    for number in range(10):
        alice.send(room, f"m{number}")
    act(bob, room, "leave")
    part = left(bob.sync(token), room)
    assert state(part) == {("m.room.topic", ""): {"topic": "t"}}
    assert part["timeline"]["limited"] is True


def test_a_rejected_invite_is_a_room_that_was_left(alice, bob):
    room = alice.create_room(invite=[bob.user_id])
    token = bob.sync()["next_batch"]
    act(bob, room, "leave")
    answer = bob.sync(token)
    assert [event["content"]["membership"] for event in events(left(answer, room))] == ["leave"]
    assert state(left(answer, room)) == {}
    assert "invite" not in answer["rooms"]


def test_a_join_and_a_leave_between_two_syncs_is_a_room_that_was_left(alice, bob):
    room = alice.create_room(preset="public_chat")
    token = bob.sync()["next_batch"]
    bob.join(room)
    act(bob, room, "leave")
    assert events(left(bob.sync(token), room))[-1]["content"]["membership"] == "leave"


def test_a_leave_and_a_join_between_two_syncs_is_a_new_room(alice, bob):
    room = alice.create_room(preset="public_chat")
    alice.set_state(room, "m.room.topic", {"topic": "old"})
    bob.join(room)
    token = bob.sync()["next_batch"]
    act(bob, room, "leave")
    alice.set_state(room, "m.room.topic", {"topic": "changed"})
    for number in range(12):
        alice.send(room, f"m{number}")
    bob.join(room)
    answer = bob.sync(token)
    assert left(answer, room) == {}
    assert ("m.room.create", "") in state(joined(answer, room))
    assert state(joined(answer, room))["m.room.topic", ""] == {"topic": "changed"}


def test_rooms_that_were_left_are_in_a_first_sync_only_where_the_filter_includes_them(alice, bob):
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    alice.send(room, "seen")
    act(bob, room, "leave")
    alice.send(room, "not seen")
    assert left(bob.sync(), room) == {}
    part = left(bob.sync(filter=wanted(include_leave=True)), room)
    assert bodies(part) == ["seen"]
    assert events(part)[-1]["state_key"] == bob.user_id


def test_of_a_forgotten_room_nothing_is_told_but_the_leave_to_a_client_that_has_the_room(alice, bob):
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    token = bob.sync()["next_batch"]
    alice.send(room, "history")
    act(bob, room, "leave")
    act(bob, room, "forget")
    answer = bob.sync(token)
    assert [event["content"] for event in events(left(answer, room))] == [{"membership": "leave"}]
    assert left(bob.sync(filter=wanted(include_leave=True)), room) == {}
    assert list(bob.sync(answer["next_batch"])) == NOTHING


def test_a_knock_is_told_to_who_knocks_and_to_who_can_answer(alice, bob):
    knocking = [{"type": "m.room.join_rules", "state_key": "", "content": {"join_rule": "knock"}}]
    room = alice.create_room(name="Door", initial_state=knocking)
    tokens = alice.sync()["next_batch"], bob.sync()["next_batch"]
    bob.post(f"/v3/knock/{room}", {})
    shown = bob.sync(tokens[1])["rooms"]["knock"][room]["knock_state"]["events"]
    assert {"m.room.name", "m.room.member"} <= {event["type"] for event in shown}
    assert events(joined(alice.sync(tokens[0]), room))[0]["content"]["membership"] == "knock"


def test_history_before_the_join_is_hidden_where_only_members_may_see_it(alice, bob):
    room = alice.create_room(preset="public_chat", initial_state=visible("joined"))
    alice.send(room, "before")
    token = bob.sync()["next_batch"]
    bob.join(room)
    alice.send(room, "after")
    part = joined(bob.sync(token), room)
    assert bodies(part) == ["after"]
    assert events(part)[0]["state_key"] == bob.user_id
    assert bodies(joined(bob.sync(), room)) == ["after"]


def test_a_token_older_than_what_memory_holds_is_answered_from_the_database(alice, bob):
    token = alice.sync()["next_batch"]
    kept, quit_, invited = (alice.create_room(preset="public_chat") for _ in range(3))
    bob.join(kept)
    bob.join(quit_)
    act(bob, quit_, "leave")
    act(alice, invited, "invite", bob)
    rooms = bob.sync(token)["rooms"]
    assert (set(rooms["join"]), set(rooms["leave"]), set(rooms["invite"])) == ({kept}, {quit_}, {invited})
    kinds = {event["type"] for key in ("state", "timeline") for event in events(rooms["join"][kept], key)}
    assert "m.room.create" in kinds


@pytest.mark.parametrize("way", ["a rejected invite", "a ban", "a kick"])
def test_who_was_a_member_once_sees_no_later_state_when_an_invite_comes_to_its_end(alice, bob, way):
    room = alice.create_room(topic="then", invite=[bob.user_id])
    bob.join(room)
    bob.post(f"/v3/rooms/{room}/leave")
    alice.set_state(room, "m.room.topic", {"topic": "now"})
    alice.set_state(room, "org.example.secret", {})
    token = bob.sync()["next_batch"]
    act(alice, room, "invite", bob)
    if way == "a rejected invite":
        bob.post(f"/v3/rooms/{room}/leave")
    else:
        act(alice, room, "ban" if way == "a ban" else "kick", bob)
    asked = {"room_subscriptions": {room: {"timeline_limit": 1, "required_state": [["*", "*"]]}}}
    sliding = bob.post("/unstable/org.matrix.simplified_msc3575/sync", asked)["rooms"].get(room)
    required = bob.get(f"/v3/rooms/{room}/state") if sliding is None else sliding["required_state"]
    for shown in (left(bob.sync(token), room)["state"]["events"], bob.get(f"/v3/rooms/{room}/state"), required):
        contents = {one["type"]: one["content"] for one in shown}
        assert contents["m.room.topic"]["topic"] == "then"
        assert "org.example.secret" not in contents
