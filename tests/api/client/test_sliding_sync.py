"""Sliding sync: lists, rooms, positions. Extensions and random lives have files of their own."""

from __future__ import annotations

import gevent
import pytest

from tests.api.client.sliding_client import ELEMENT_X, EVERYTHING, ask, bodies, keys, one_list, subscribed
from tests.api.client.sync_room import act
from tests.servers.trellis import Refused


@pytest.fixture
def room(alice, bob):
    room = alice.create_room(preset="public_chat", name="A room")
    bob.join(room)
    return room


def test_it_is_announced(alice):
    assert alice.get("/versions")["unstable_features"]["org.matrix.simplified_msc3575"] is True


def test_a_first_answer_has_counts_and_the_rooms_in_range_newest_bump_first(alice):
    rooms = [alice.create_room() for _ in range(4)]
    alice.send(rooms[0])
    alice.set_state(rooms[1], "m.room.topic", {"topic": "bumps nothing"})
    answer = ask(alice, one_list(last=1))
    assert answer["lists"] == {"all": {"count": 4}}
    assert set(answer["rooms"]) == {rooms[0], rooms[3]}
    stamps = {room: part["bump_stamp"] for room, part in answer["rooms"].items()}
    assert stamps[rooms[0]] > stamps[rooms[3]]


def test_a_new_room_has_name_counts_timeline_and_required_state(alice, bob, room):
    bob.send(room, "one")
    bob.send(room, "two")
    found = ask(alice, one_list(1, required=[["m.room.topic", ""], ["m.room.member", "$ME"]]))["rooms"][room]
    assert (found["initial"], found["name"], found["membership"]) == (True, "A room", "join")
    assert (found["joined_count"], found["invited_count"], found["is_dm"]) == (2, 0, False)
    assert (bodies(found), found["limited"], found["num_live"]) == (["two"], True, 0)
    assert keys(found) == {("m.room.member", alice.user_id)}
    assert found["notification_count"] >= 1
    page = alice.get(f"/v3/rooms/{room}/messages", dir="b", **{"from": found["prev_batch"]}, limit=1)
    assert page["chunk"][0]["content"]["body"] == "one"


def test_lazy_members_are_those_of_the_timeline_and_each_is_sent_once(alice, bob, room):
    body = one_list(1, required=[["m.room.member", "$LAZY"]])
    first = ask(alice, body)
    assert keys(first["rooms"][room]) == {("m.room.member", bob.user_id)}
    bob.send(room, "again")
    second = ask(alice, body, first["pos"])
    assert keys(second["rooms"][room]) == set()
    alice.send(room, "mine")
    third = ask(alice, body, second["pos"])
    assert keys(third["rooms"][room]) == {("m.room.member", alice.user_id)}


def test_a_lazy_member_who_changed_is_sent_again(alice, bob, room):
    body = one_list(1, required=[["m.room.member", "$LAZY"]])
    pos = ask(alice, body)["pos"]
    bob.put(f"/v3/profile/{bob.user_id}/displayname", {"displayname": "Bobby"})
    answer = ask(alice, body, pos, timeout=5000)
    sent = answer["rooms"][room]["required_state"]
    assert [event["content"]["displayname"] for event in sent] == ["Bobby"]


@pytest.mark.parametrize(
    ("required", "expected"),
    [
        ([["org.example", "*"]], {("org.example", "a"), ("org.example", "b")}),
        ([["*", "b"]], {("org.example", "b")}),
        ([["m.room.name", ""], ["org.example", "a"]], {("m.room.name", ""), ("org.example", "a")}),
        ({"include": [{"type": "org.example"}]}, {("org.example", "a"), ("org.example", "b")}),
        ({"include": [{"state_key": "b"}], "lazy_members": False}, {("org.example", "b")}),
        ([], set()),
    ],
)
def test_wildcards_pick_state(alice, room, required, expected):
    for key in "ab":
        alice.set_state(room, "org.example", {}, key)
    assert keys(ask(alice, one_list(required=required))["rooms"][room]) == expected


def test_two_stars_are_the_whole_state(alice, room):
    truth = {(event["type"], event["state_key"]) for event in alice.get(f"/v3/rooms/{room}/state")}
    assert keys(ask(alice, one_list(required=EVERYTHING))["rooms"][room]) == truth


def test_what_element_x_asks_for_is_told(alice, room):
    found = keys(ask(alice, one_list(1, required=ELEMENT_X))["rooms"][room])
    assert {("m.room.create", ""), ("m.room.name", ""), ("m.room.member", alice.user_id)} <= found


def test_next_only_what_came_since_is_told(alice, bob, room):
    pos = ask(alice, one_list())["pos"]
    bob.send(room, "after")
    found = ask(alice, one_list(), pos)["rooms"][room]
    assert (bodies(found), found["limited"], found["num_live"]) == (["after"], False, 1)
    assert "initial" not in found
    assert "name" not in found


def test_nothing_new_is_no_room_but_the_counts(alice, room):
    pos = ask(alice, one_list())["pos"]
    answer = ask(alice, one_list(), pos)
    assert (answer["rooms"], answer["lists"]) == ({}, {"all": {"count": 1}})
    assert answer["pos"] != pos


def test_a_change_of_state_comes_even_if_it_is_not_in_the_timeline(alice, bob, room):
    body = one_list(1, required=[["m.room.topic", ""]])
    pos = ask(alice, body)["pos"]
    alice.set_state(room, "m.room.topic", {"topic": "new"})
    bob.send(room, "later")
    found = ask(alice, body, pos)["rooms"][room]
    assert (bodies(found), found["limited"]) == (["later"], True)
    assert [event["content"] for event in found["required_state"]] == [{"topic": "new"}]


def test_a_room_that_was_left_behind_goes_on_where_it_was(alice, bob, room):
    body = one_list(last=0)
    pos = ask(alice, body)["pos"]
    other = alice.create_room()
    pos = ask(alice, body, pos)["pos"]
    alice.set_state(room, "m.room.topic", {"topic": "unseen"})
    pos = ask(alice, body, pos)["pos"]
    bob.send(room, "bump")
    answer = ask(alice, body, pos)
    assert set(answer["rooms"]) == {room}
    types = [event["type"] for event in answer["rooms"][room]["timeline"]]
    assert types == ["m.room.topic", "m.room.message"]
    assert answer["rooms"][room]["num_live"] == 1
    assert other not in answer["rooms"]


def test_a_larger_timeline_limit_expands_the_timeline(alice, bob, room):
    for number in range(5):
        bob.send(room, f"m{number}")
    pos = ask(alice, one_list(1))["pos"]
    answer = ask(alice, {**one_list(1), **subscribed(room, 4)}, pos)
    found = answer["rooms"][room]
    assert bodies(found) == ["m1", "m2", "m3", "m4"]
    assert found["unstable_expanded_timeline"] is True
    assert (found["limited"], found["num_live"]) == (True, 0)
    assert ask(alice, {**one_list(1), **subscribed(room, 4)}, answer["pos"])["rooms"] == {}


def test_more_required_state_is_told_without_what_is_known(alice, room):
    pos = ask(alice, one_list(1, required=[["m.room.create", ""]]))["pos"]
    body = {**one_list(1, required=[["m.room.create", ""]]), **subscribed(room, 1, [["m.room.name", ""]])}
    found = ask(alice, body, pos)["rooms"][room]
    assert keys(found) == {("m.room.name", "")}


def test_state_that_changed_while_nobody_asked_for_it_is_told_when_somebody_does(alice, room):
    wide, narrow = one_list(1, required=[["m.room.topic", ""]]), one_list(1)
    alice.set_state(room, "m.room.topic", {"topic": "old"})
    pos = ask(alice, wide)["pos"]
    alice.set_state(room, "m.room.topic", {"topic": "new"})
    pos = ask(alice, narrow, pos)["pos"]
    found = ask(alice, wide, pos)["rooms"][room]
    assert [event["content"] for event in found["required_state"]] == [{"topic": "new"}]


def test_the_same_position_asked_twice_answers_the_same(alice, bob, room):
    pos = ask(alice, one_list())["pos"]
    bob.send(room, "once")
    first = ask(alice, one_list(), pos)
    bob.send(room, "twice")
    again = ask(alice, one_list(), pos)
    assert first["rooms"] == again["rooms"]
    assert bodies(ask(alice, one_list(), again["pos"])["rooms"][room]) == ["twice"]


def test_a_lost_answer_is_made_again_for_another_request(alice, bob, room):
    pos = ask(alice, one_list())["pos"]
    bob.send(room, "once")
    ask(alice, one_list(), pos)
    assert bodies(ask(alice, one_list(20), pos)["rooms"][room])[-1] == "once"


@pytest.mark.parametrize("pos", ["nonsense", "1.1"])
def test_an_unknown_position_is_refused(alice, pos):
    with pytest.raises(Refused) as refused:
        ask(alice, one_list(), pos)
    assert (refused.value.status, refused.value.errcode) == (400, "M_UNKNOWN_POS")


def test_a_position_is_void_once_the_client_went_on_or_began_anew(alice, room):
    first = ask(alice, one_list())["pos"]
    second = ask(alice, one_list(), first)["pos"]
    third = ask(alice, one_list(), second)["pos"]
    with pytest.raises(Refused, match="M_UNKNOWN_POS"):
        ask(alice, one_list(), first)
    ask(alice, one_list())
    with pytest.raises(Refused, match="M_UNKNOWN_POS"):
        ask(alice, one_list(), third)


def test_connections_of_one_device_are_apart(alice, bob, room):
    first = ask(alice, {**one_list(), "conn_id": "a"})["pos"]
    second = ask(alice, {**one_list(), "conn_id": "b"})
    assert room in second["rooms"]
    bob.send(room, "both")
    assert bodies(ask(alice, {**one_list(), "conn_id": "a"}, first)["rooms"][room]) == ["both"]
    assert bodies(ask(alice, {**one_list(), "conn_id": "b"}, second["pos"])["rooms"][room]) == ["both"]


def test_it_waits_for_news(alice, bob, room):
    pos = ask(alice, one_list())["pos"]
    waiting = gevent.spawn(ask, alice, one_list(), pos, 20_000)
    bob.send(room, "news")
    assert bodies(waiting.get()["rooms"][room]) == ["news"]


def test_it_waits_no_longer_than_asked(alice, room):
    pos = ask(alice, one_list())["pos"]
    assert ask(alice, one_list(), pos, timeout=50)["rooms"] == {}


def test_a_new_request_ends_the_one_that_waits(alice, bob, room):
    pos = ask(alice, one_list())["pos"]
    waiting = gevent.spawn(ask, alice, one_list(), pos, 30_000)
    bob.put(f"/v3/rooms/{room}/typing/{bob.user_id}", {"typing": True})  # wakes it, and is nothing for it
    second = ask(alice, one_list(5), pos)
    assert waiting.get()["rooms"] == {}
    assert ask(alice, one_list(5), second["pos"])["rooms"] == {}


def test_an_invite_has_stripped_state_and_becomes_a_room(alice, bob):
    pos = ask(bob, one_list())["pos"]
    room = alice.create_room(name="Come", invite=[bob.user_id])
    invited = ask(bob, one_list(), pos, timeout=5000)
    found = invited["rooms"][room]
    assert (found["membership"], found["name"], found["initial"]) == ("invite", "Come", True)
    assert "timeline" not in found
    assert found["invite_state"][-1]["state_key"] == bob.user_id
    bob.join(room)
    joined = ask(bob, one_list(), invited["pos"], timeout=5000)["rooms"][room]
    assert (joined["membership"], joined["initial"]) == ("join", True)
    assert joined["timeline"][-1]["state_key"] == bob.user_id


def test_leaving_is_told_once_and_takes_the_room_from_the_lists(alice, bob, room):
    pos = ask(bob, one_list())["pos"]
    act(bob, room, "leave")
    alice.send(room, "behind their back")
    answer = ask(bob, one_list(), pos, timeout=5000)
    found = answer["rooms"][room]
    assert found["membership"] == "leave"
    assert found["timeline"][-1]["content"]["membership"] == "leave"
    assert answer["lists"]["all"]["count"] == 0
    assert ask(bob, one_list(), answer["pos"])["rooms"] == {}
    assert ask(bob, one_list())["rooms"] == {}


def test_a_kick_is_told_to_new_connections_as_well(alice, bob, room):
    pos = ask(bob, one_list())["pos"]
    act(alice, room, "kick", bob)
    answer = ask(bob, one_list(), pos, timeout=5000)
    assert answer["rooms"][room]["membership"] == "leave"
    assert ask(bob, one_list(), answer["pos"])["rooms"] == {}
    assert ask(bob, one_list())["rooms"][room]["membership"] == "leave"


def test_who_comes_back_is_told_everything_anew(alice, bob, room):
    pos = ask(bob, one_list(required=[["m.room.name", ""]]))["pos"]
    act(bob, room, "leave")
    alice.set_state(room, "m.room.name", {"name": "Other"})
    bob.join(room)
    found = ask(bob, one_list(required=[["m.room.name", ""]]), pos, timeout=5000)["rooms"][room]
    assert (found["initial"], found["name"]) == (True, "Other")


def test_heroes_stand_for_a_name(alice, bob):
    bob.put(f"/v3/profile/{bob.user_id}/displayname", {"displayname": "Bob"})
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    found = ask(alice, one_list())["rooms"][room]
    assert found["heroes"] == [{"user_id": bob.user_id, "displayname": "Bob"}]
    assert "name" not in found


def test_a_subscription_tells_a_room_outside_all_lists(alice, room):
    answer = ask(alice, subscribed(room, 1))
    assert set(answer["rooms"]) == {room}
    assert answer["lists"] == {}


def test_a_room_of_others_is_not_told(alice, bob):
    room = alice.create_room()
    assert ask(bob, subscribed(room, 1))["rooms"] == {}


def test_counts_are_told_when_they_change(alice, bob, room):
    bob.send(room, "unread")
    answer = ask(alice, one_list())
    event = answer["rooms"][room]["timeline"][-1]["event_id"]
    assert answer["rooms"][room]["notification_count"] == 1
    alice.post(f"/v3/rooms/{room}/receipt/m.read/{event}", {})
    found = ask(alice, one_list(), answer["pos"], timeout=5000)["rooms"][room]
    assert (found["notification_count"], found["highlight_count"]) == (0, 0)
    assert "timeline" not in found


def test_a_transaction_id_is_given_back(alice):
    assert ask(alice, {**one_list(), "txn_id": "t"})["txn_id"] == "t"


@pytest.mark.parametrize(
    ("body", "errcode"),
    [
        ({"lists": []}, "M_BAD_JSON"),
        ({"lists": {"a": {"ranges": [[0]]}}}, "M_BAD_JSON"),
        ({"lists": {"a": {"ranges": [[5, 1]]}}}, "M_INVALID_PARAM"),
        ({"lists": {"a": {"timeline_limit": True}}}, "M_BAD_JSON"),
        ({"lists": {"a": {"required_state": [["m.room.name"]]}}}, "M_BAD_JSON"),
        ({"lists": {"a": {"filters": {"is_dm": 1}}}}, "M_BAD_JSON"),
        ({"room_subscriptions": {"!a:b": 1}}, "M_BAD_JSON"),
        ({"conn_id": 5}, "M_BAD_JSON"),
        ({"conn_id": "x" * 300}, "M_INVALID_PARAM"),
        ({"extensions": {"to_device": {"enabled": True, "since": "x"}}}, "M_INVALID_PARAM"),
    ],
)
def test_nonsense_is_refused(alice, body, errcode):
    with pytest.raises(Refused) as refused:
        ask(alice, body)
    assert (refused.value.status, refused.value.errcode) == (400, errcode)


@pytest.mark.parametrize(
    "required", [{"include": [5]}, {"include": {}}, {"include": [{"type": 5}]}, {"lazy_members": 1}]
)
def test_an_object_of_required_state_that_is_none_is_refused(alice, required):
    with pytest.raises(Refused) as refused:
        ask(alice, one_list(required=required))
    assert (refused.value.status, refused.value.errcode) == (400, "M_BAD_JSON")
