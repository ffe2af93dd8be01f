"""The endpoints from before /sync: event stream, snapshots, peeking, an event by its id."""

import threading

import pytest

from tests.servers.trellis import Refused


def bodies(events):
    return [event["content"]["body"] for event in events if event["type"] == "m.room.message"]


def test_the_stream_tells_of_all_rooms_one_is_in_and_no_others(alice, bob):
    start = alice.get("/v3/initialSync")["end"]
    one, two, other = alice.create_room(), alice.create_room(), bob.create_room()
    for user, room in ((alice, one), (bob, other), (alice, two)):
        user.send(room, room)
    part = alice.get("/v3/events", timeout=0, **{"from": start})
    assert bodies(part["chunk"]) == [one, two]
    assert part["start"] == start
    assert alice.get("/v3/events", timeout=0, **{"from": part["end"]})["chunk"] == []


def test_the_stream_waits_for_the_next_event(alice):
    room = alice.create_room()
    start = alice.get("/v3/initialSync")["end"]
    found = {}
    waiting = threading.Thread(target=lambda: found.update(alice.get("/v3/events", timeout=20_000, **{"from": start})))
    waiting.start()
    alice.send(room, "now")
    waiting.join(15)
    assert bodies(found["chunk"]) == ["now"]


def test_an_invite_comes_through_the_stream(alice, bob):
    start = bob.get("/v3/initialSync")["end"]
    room = alice.create_room(invite=[bob.user_id])
    (event,) = bob.get("/v3/events", timeout=0, **{"from": start})["chunk"]
    assert (event["room_id"], event["content"]["membership"]) == (room, "invite")


def test_a_world_readable_room_can_be_peeked_into(alice, bob):
    visibility = {"type": "m.room.history_visibility", "content": {"history_visibility": "world_readable"}}
    room = alice.create_room(initial_state=[visibility])
    alice.send(room, "before")
    snapshot = bob.get(f"/v3/rooms/{room}/initialSync")
    assert (bodies(snapshot["messages"]["chunk"]), "membership" in snapshot) == (["before"], False)
    start = bob.get("/v3/initialSync")["end"]
    alice.send(room, "after")
    assert bodies(bob.get("/v3/events", room_id=room, timeout=0, **{"from": start})["chunk"]) == ["after"]


def test_other_rooms_cannot_be_peeked_into(alice, bob):
    room = alice.create_room(preset="public_chat")
    for path, query in ((f"/v3/rooms/{room}/initialSync", {}), ("/v3/events", {"room_id": room, "timeout": 0})):
        with pytest.raises(Refused) as refused:
            bob.get(path, **query)
        assert (refused.value.status, refused.value.errcode) == (403, "M_FORBIDDEN")


def test_a_snapshot_of_a_room_has_all_of_it(alice):
    room = alice.create_room(name="Name", visibility="public")
    for n in range(3):
        alice.send(room, str(n))
    alice.put(f"/v3/user/{alice.user_id}/rooms/{room}/account_data/m.tag", {"tags": {}})
    found = alice.get(f"/v3/rooms/{room}/initialSync", limit=2)
    assert (found["room_id"], found["membership"], found["visibility"]) == (room, "join", "public")
    assert bodies(found["messages"]["chunk"]) == ["1", "2"]
    assert found["account_data"] == [{"type": "m.tag", "content": {"tags": {}}}]
    assert "m.room.name" in {event["type"] for event in found["state"]}
    older = alice.get(f"/v3/rooms/{room}/messages", dir="b", limit=1, **{"from": found["messages"]["start"]})
    assert bodies(older["chunk"]) == ["0"]


def test_who_left_gets_the_room_as_it_was(alice, bob):
    room = alice.create_room(preset="public_chat", name="Before")
    bob.join(room)
    bob.post(f"/v3/rooms/{room}/leave")
    alice.set_state(room, "m.room.name", {"name": "After"})
    found = bob.get(f"/v3/rooms/{room}/initialSync")
    assert found["membership"] == "leave"
    assert [e["content"]["name"] for e in found["state"] if e["type"] == "m.room.name"] == ["Before"]
    assert bob.get("/v3/initialSync")["rooms"] == []
    assert [one["room_id"] for one in bob.get("/v3/initialSync", archived="true")["rooms"]] == [room]


def test_the_initial_sync_lists_rooms_and_invites(alice, bob):
    room = alice.create_room()
    invited = bob.create_room(invite=[alice.user_id])
    found = {one["room_id"]: one for one in alice.get("/v3/initialSync", limit=0)["rooms"]}
    assert set(found) == {room, invited}
    assert (found[room]["membership"], found[room]["messages"]["chunk"]) == ("join", [])
    assert found[invited]["inviter"] == bob.user_id
    assert found[invited]["invite"]["state_key"] == alice.user_id


def test_an_event_is_found_by_its_id_alone(alice, bob):
    event = alice.send(alice.create_room(), "hello")
    assert alice.get(f"/v3/events/{event}")["content"]["body"] == "hello"
    for user, path in ((bob, event), (alice, "$nothing")):
        with pytest.raises(Refused) as refused:
            user.get(f"/v3/events/{path}")
        assert refused.value.status == 404


@pytest.mark.parametrize("token", ["t1_2_3", "x", "s"])
def test_a_wrong_token_is_refused(alice, token):
    with pytest.raises(Refused) as refused:
        alice.get("/v3/events", timeout=0, **{"from": token})
    assert (refused.value.status, refused.value.errcode) == (400, "M_INVALID_PARAM")


def test_snapshots_have_presence_and_receipts_for_members(alice, bob):
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    event = alice.send(room, "read me")
    bob.post(f"/v3/rooms/{room}/receipt/m.read/{event}")
    bob.put(f"/v3/presence/{bob.user_id}/status", {"presence": "online", "status_msg": "here"})
    for found in (alice.get("/v3/initialSync"), alice.get(f"/v3/rooms/{room}/initialSync")):
        told = {one["sender"]: one["content"].get("status_msg") for one in found["presence"]}
        assert told[bob.user_id] == "here"
        (receipt,) = [one for one in found["receipts"] if one["room_id"] == room]
        assert list(receipt["content"][event]["m.read"]) == [bob.user_id]
