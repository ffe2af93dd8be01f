"""Rooms whose history is for those who were there: what a timeline and a bundle must leave out, and not lose."""

from __future__ import annotations

import json

import pytest

from tests.api.client.sliding_client import ask, extended, one_list
from tests.api.client.sync_room import act, at, events, joined, state
from tests.servers.trellis import Refused


@pytest.fixture
def room(alice, bob):
    """A room of alice and bob, of which nobody sees what happened while they were not there."""
    visibility = {"type": "m.room.history_visibility", "content": {"history_visibility": "joined"}}
    room = alice.create_room(preset="public_chat", initial_state=[visibility])
    bob.join(room)
    return room


def refers(event_id, kind="m.reference"):
    return {"msgtype": "m.text", "body": "x", "m.relates_to": {"rel_type": kind, "event_id": event_id}}


def relations(user, room, event_id):
    """What is bundled with an event."""
    return user.get(f"{at(room)}/event/{event_id}").get("unsigned", {}).get("m.relations", {})


def test_a_timeline_does_not_undo_state_that_was_set_where_it_could_not_be_seen(alice, bob, room):
    alice.set_state(room, "org.example", {"value": "seen"})
    act(bob, room, "leave")
    alice.set_state(room, "org.example", {"value": "hidden"})
    bob.join(room)
    part = joined(bob.sync(), room)
    changes = {event["type"]: event["content"] for event in events(part) if "state_key" in event}
    assert changes.get("org.example", state(part)["org.example", ""]) == {"value": "hidden"}
    assert part["timeline"]["limited"]
    page = bob.get(f"{at(room)}/messages", dir="b", limit=3, **{"from": part["timeline"]["prev_batch"]})
    assert {"value": "seen"} in [event["content"] for event in page["chunk"]]


def test_a_short_room_is_not_limited_for_who_made_it(alice, room):
    part = joined(alice.sync(filter=json.dumps({"room": {"timeline": {"limit": 50}}})), room)
    assert events(part)[0]["type"] == "m.room.create"
    assert not part["timeline"]["limited"]


def test_what_could_not_be_seen_is_not_bundled(alice, bob, room):
    root = alice.send(room, "root")
    first = alice.send(room, refers(root))
    act(bob, room, "leave")
    alice.send(room, refers(root))
    alice.send(room, refers(root, "m.thread"))
    bob.join(room)
    last = alice.send(room, refers(root, "m.thread"))
    found = relations(bob, room, root)
    assert found["m.reference"]["chunk"] == [{"event_id": first}]
    assert (found["m.thread"]["count"], found["m.thread"]["latest_event"]["event_id"]) == (1, last)
    assert relations(alice, room, root)["m.thread"]["count"] == 2


def test_a_former_member_who_ignores_everybody_in_a_thread_still_reads_its_root(alice, bob, room):
    root = bob.send(room, "root")
    alice.send(room, refers(root, "m.thread"))
    act(bob, room, "leave")
    bob.put(f"/v3/user/{bob.user_id}/account_data/m.ignored_user_list", {"ignored_users": {alice.user_id: {}}})
    page = bob.get(f"{at(room)}/messages", dir="b", limit=50)
    assert root in [event["event_id"] for event in page["chunk"]]


def test_who_was_invited_back_by_somebody_they_ignore_hears_that_they_left(alice, bob, room):
    bob.put(f"/v3/user/{bob.user_id}/account_data/m.ignored_user_list", {"ignored_users": {alice.user_id: {}}})
    since = bob.sync()["next_batch"]
    act(bob, room, "leave")
    act(alice, room, "invite", bob)
    rooms = bob.sync(since)["rooms"]
    (event,) = events(rooms["leave"][room])
    assert (event["sender"], event["content"]["membership"]) == (bob.user_id, "leave")
    assert room not in rooms.get("invite", {})


def test_of_two_receipts_for_one_event_sliding_sync_tells_that_for_all_threads(alice, bob, room):
    event = alice.send(room)
    bob.post(f"{at(room)}/receipt/m.read/{event}", {})
    bob.post(f"{at(room)}/receipt/m.read/{event}", {"thread_id": "main"})
    told = ask(alice, {**one_list(), **extended("receipts")})["extensions"]["receipts"]["rooms"][room]
    assert "thread_id" not in told["content"][event]["m.read"][bob.user_id]


def test_who_is_not_in_the_room_is_refused_whatever_they_have_reacted_with(alice, bob, room):
    event = alice.send(room)
    reaction = {"m.relates_to": {"rel_type": "m.annotation", "event_id": event, "key": "x"}}
    bob.send(room, reaction, "m.reaction")
    act(bob, room, "leave")
    with pytest.raises(Refused) as refused:
        bob.send(room, reaction, "m.reaction")
    assert refused.value.errcode == "M_FORBIDDEN"


def test_sliding_sync_tells_them_too(alice, bob, room):
    bob.put(f"/v3/user/{bob.user_id}/account_data/m.ignored_user_list", {"ignored_users": {alice.user_id: {}}})
    pos = ask(bob, one_list())["pos"]
    act(bob, room, "leave")
    act(alice, room, "invite", bob)
    assert ask(bob, one_list(), pos)["rooms"][room]["membership"] == "leave"
