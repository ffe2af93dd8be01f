"""What a user gets to know by syncing: at first, next, and while waiting."""

from __future__ import annotations

import time

import gevent
import pytest

from tests.api.client.sync_room import NOTHING, at, bodies, events, joined, state, wanted
from tests.servers.trellis import Refused


@pytest.fixture
def room(alice, bob):
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    return room


def test_a_first_sync_tells_the_rooms_their_state_and_the_newest_messages(alice, bob, room):
    for number in range(12):
        bob.send(room, f"m{number}")
    part = joined(alice.sync(), room)
    assert bodies(part) == [f"m{number}" for number in range(2, 12)]
    assert part["timeline"]["limited"] is True
    assert ("m.room.create", "") in state(part)
    assert ("m.room.member", bob.user_id) in state(part)


def test_the_state_of_a_first_sync_is_that_before_the_timeline(alice, bob, room):
    alice.set_state(room, "m.room.topic", {"topic": "old"})
    for number in range(9):
        alice.send(room, f"m{number}")
    alice.set_state(room, "m.room.topic", {"topic": "new"})
    part = joined(alice.sync(), room)
    assert state(part)["m.room.topic", ""] == {"topic": "old"}
    assert events(part)[-1]["content"] == {"topic": "new"}
    assert events(part)[-1]["unsigned"]["prev_content"] == {"topic": "old"}


def test_a_new_room_fits_into_its_timeline_and_leaves_no_state_before_it(alice):
    room = alice.create_room(name="x")
    part = joined(alice.sync(), room)
    assert state(part) == {}
    assert part["timeline"]["limited"] is False
    assert events(part)[0]["type"] == "m.room.create"


def test_a_sync_with_a_token_tells_only_what_came_since(alice, bob, room):
    bob.send(room, "before")
    token = alice.sync()["next_batch"]
    bob.send(room, "after")
    answer = alice.sync(token)
    part = joined(answer, room)
    assert bodies(part) == ["after"]
    assert part["timeline"]["limited"] is False
    assert state(part) == {}
    assert list(alice.sync(answer["next_batch"])) == NOTHING


def test_the_same_token_gives_the_same_answer_again(alice, bob, room):
    token = alice.sync()["next_batch"]
    bob.send(room, "once")
    assert bodies(joined(alice.sync(token), room)) == bodies(joined(alice.sync(token), room)) == ["once"]


def test_a_message_reaches_a_waiting_sync_within_milliseconds(alice, bob, room):
    token = alice.sync()["next_batch"]
    waiting = gevent.spawn(lambda: (alice.wait(token), time.monotonic()))
    gevent.sleep(0.2)
    sent = time.monotonic()
    bob.send(room, "wake up")
    answer, woken = waiting.get(timeout=10)
    assert bodies(joined(answer, room)) == ["wake up"]
    assert woken - sent < 0.5


def test_every_waiting_sync_of_a_room_is_woken(alice, server, room):
    users = [server.register() for _ in range(5)]
    for user in users:
        user.join(room)
    tokens = [user.sync()["next_batch"] for user in users]
    waiting = [gevent.spawn(user.wait, token) for user, token in zip(users, tokens, strict=True)]
    gevent.sleep(0.2)
    alice.send(room, "all")
    assert [bodies(joined(one.get(timeout=10), room)) for one in waiting] == [["all"]] * 5


def test_a_waiting_sync_is_woken_by_an_invite_and_by_account_data(alice, bob):
    token = bob.sync()["next_batch"]
    waiting = gevent.spawn(bob.wait, token)
    gevent.sleep(0.1)
    room = alice.create_room(invite=[bob.user_id])
    answer = waiting.get(timeout=10)
    assert list(answer["rooms"]["invite"]) == [room]
    waiting = gevent.spawn(bob.wait, answer["next_batch"])
    gevent.sleep(0.1)
    bob.put(f"/v3/user/{bob.user_id}/account_data/org.example", {"a": 1})
    assert waiting.get(timeout=10)["account_data"]["events"] == [{"type": "org.example", "content": {"a": 1}}]


def test_a_sync_that_waited_in_vain_is_empty_and_goes_on_from_there(alice, bob, room):
    token = alice.sync()["next_batch"]
    started = time.monotonic()
    answer = alice.sync(token, timeout=300)
    assert 0.25 < time.monotonic() - started < 5
    assert list(answer) == NOTHING
    bob.send(room, "later")
    assert bodies(joined(alice.sync(answer["next_batch"]), room)) == ["later"]


def test_what_a_waiting_sync_does_not_want_does_not_end_it(alice, bob, room):
    token = alice.sync()["next_batch"]
    only = wanted(timeline={"types": ["m.room.message"]}, state={"types": []})
    waiting = gevent.spawn(alice.sync, token, 10_000, filter=only)
    gevent.sleep(0.1)
    bob.send(room, {}, type_="org.example.noise")
    gevent.sleep(0.1)
    assert not waiting.ready()
    bob.send(room, "signal")
    assert bodies(joined(waiting.get(timeout=10), room)) == ["signal"]


def test_a_gap_is_limited_and_can_be_paged_without_hole_or_duplicate(alice, bob, room):
    bob.send(room, "m0")
    token = alice.sync()["next_batch"]
    for number in range(1, 31):
        bob.send(room, f"m{number}")
    part = joined(alice.sync(token), room)
    found, start = bodies(part), part["timeline"]["prev_batch"]
    assert part["timeline"]["limited"] is True
    assert found == [f"m{number}" for number in range(21, 31)]
    while "m0" not in found:
        page = alice.get(f"{at(room)}/messages", dir="b", limit=7, **{"from": start})
        found, start = [event["content"].get("body") for event in reversed(page["chunk"])] + found, page["end"]
    assert [body for body in found if body] == [f"m{number}" for number in range(31)]


def test_a_gap_carries_the_state_that_changed_in_it(alice, bob, room):
    alice.set_state(room, "m.room.topic", {"topic": "one"})
    token = alice.sync()["next_batch"]
    alice.set_state(room, "m.room.topic", {"topic": "two"})
    alice.set_state(room, "m.room.name", {"name": "n"})
    for number in range(10):
        bob.send(room, f"m{number}")
    part = joined(alice.sync(token), room)
    assert state(part) == {("m.room.topic", ""): {"topic": "two"}, ("m.room.name", ""): {"name": "n"}}


def test_a_change_inside_the_timeline_is_not_repeated_in_the_state(alice, room):
    token = alice.sync()["next_batch"]
    alice.set_state(room, "m.room.topic", {"topic": "two"})
    part = joined(alice.sync(token), room)
    assert state(part) == {}
    assert [event["type"] for event in events(part)] == ["m.room.topic"]


@pytest.mark.parametrize(
    ("parameter", "key"),
    [("use_state_after", "state_after"), ("org.matrix.msc4222.use_state_after", "org.matrix.msc4222.state_after")],
)
def test_state_after_is_the_state_behind_the_timeline(alice, bob, room, parameter, key):
    asked = {parameter: "true"}
    alice.set_state(room, "m.room.topic", {"topic": "one"})
    first = alice.sync(**asked)
    assert "state" not in joined(first, room)
    assert state(joined(first, room), key)["m.room.topic", ""] == {"topic": "one"}
    alice.set_state(room, "m.room.topic", {"topic": "two"})
    part = joined(alice.sync(first["next_batch"], **asked), room)
    assert state(part, key) == {("m.room.topic", ""): {"topic": "two"}}
    token = alice.sync()["next_batch"]
    bob.send(room, "no state")
    assert joined(alice.sync(token, **asked), room)[key] == {"events": []}


def test_full_state_gives_all_state_and_does_not_wait(alice, bob, room):
    token = alice.sync()["next_batch"]
    started = time.monotonic()
    part = joined(alice.sync(token, timeout=20_000, full_state="true"), room)
    assert time.monotonic() - started < 5
    assert ("m.room.create", "") in state(part)
    assert ("m.room.member", bob.user_id) in state(part)
    assert events(part) == []


def test_a_token_from_the_future_is_a_sync_from_the_beginning(alice, room):
    answer = alice.sync("s99999999999999999_1.0")
    assert ("m.room.create", "") in {(event["type"], event.get("state_key")) for event in events(joined(answer, room))}
    assert len(answer["next_batch"].partition("_")[0]) < 17


def test_a_token_of_another_epoch_still_holds_for_what_is_durable(alice, bob, room):
    position = alice.sync()["next_batch"].partition("_")[0]
    bob.send(room, "new")
    assert bodies(joined(alice.sync(f"{position}_77.5"), room)) == ["new"]


@pytest.mark.parametrize("token", ["s", "sx_1.0", "t5_17_42", "s1_1", "5", "s-1_0.0", "s1_1.0\n"])
def test_what_is_no_token_is_refused(alice, token):
    with pytest.raises(Refused, match="next_batch") as refused:
        alice.sync(token)
    assert (refused.value.status, refused.value.errcode) == (400, "M_INVALID_PARAM")


@pytest.mark.parametrize(
    "query", [{"timeout": "soon"}, {"full_state": "1"}, {"set_presence": "busy"}, {"use_state_after": "yes"}]
)
def test_a_parameter_of_the_wrong_kind_is_refused(alice, query):
    with pytest.raises(Refused) as refused:
        alice.get("/v3/sync", **query)
    assert (refused.value.status, refused.value.errcode) == (400, "M_INVALID_PARAM")


def test_the_sender_and_nobody_else_sees_the_transaction_id(alice, bob, room):
    token = alice.sync()["next_batch"]
    alice.put(f"{at(room)}/send/m.room.message/txn-1", {"msgtype": "m.text", "body": "hi"})
    (own,) = events(joined(alice.sync(token), room))
    (others,) = events(joined(bob.sync(token), room))
    assert own["unsigned"]["transaction_id"] == "txn-1"
    assert "transaction_id" not in others["unsigned"]
    assert own["unsigned"]["age"] >= 0
    assert own["unsigned"]["membership"] == "join"


def test_events_in_a_sync_do_not_repeat_the_room(alice, room):
    assert all("room_id" not in event for event in events(joined(alice.sync(), room)))


def test_a_redaction_comes_as_an_event_and_thins_what_is_read_later(alice, bob, room):
    token = alice.sync()["next_batch"]
    secret = bob.send(room, "secret")
    later = alice.sync(token)["next_batch"]
    redaction = bob.put(f"{at(room)}/redact/{secret}/r1", {})["event_id"]
    (event,) = events(joined(alice.sync(later), room))
    assert event["event_id"] == redaction
    assert event["type"] == "m.room.redaction"
    thinned = events(joined(alice.sync(token), room))[0]
    assert thinned["content"] == {}
    assert thinned["unsigned"]["redacted_because"]["event_id"] == redaction


def test_account_data_comes_with_the_account_and_with_the_room(alice, room):
    token = alice.sync()["next_batch"]
    alice.put(f"/v3/user/{alice.user_id}/account_data/org.example.a", {"a": 1})
    alice.put(f"/v3/user/{alice.user_id}/rooms/{room}/account_data/org.example.b", {"b": 2})
    answer = alice.sync(token)
    assert answer["account_data"]["events"] == [{"type": "org.example.a", "content": {"a": 1}}]
    assert joined(answer, room)["account_data"]["events"] == [{"type": "org.example.b", "content": {"b": 2}}]
    first = alice.sync()
    assert {"type": "org.example.a", "content": {"a": 1}} in first["account_data"]["events"]
    assert joined(first, room)["account_data"]["events"] == [{"type": "org.example.b", "content": {"b": 2}}]


def test_messages_of_ignored_users_are_left_out_before_the_limit_is_counted(alice, bob, room):
    alice.put(f"/v3/user/{alice.user_id}/account_data/m.ignored_user_list", {"ignored_users": {bob.user_id: {}}})
    token = alice.sync()["next_batch"]
    for number in range(3):
        alice.send(room, f"a{number}")
        bob.send(room, f"b{number}")
    part = joined(alice.sync(token, filter=wanted(timeline={"limit": 3})), room)
    assert bodies(part) == ["a0", "a1", "a2"]
    assert part["timeline"]["limited"] is False


def test_an_invite_of_an_ignored_user_is_not_shown(alice, bob):
    bob.put(f"/v3/user/{bob.user_id}/account_data/m.ignored_user_list", {"ignored_users": {alice.user_id: {}}})
    alice.create_room(invite=[bob.user_id])
    assert "invite" not in bob.sync()["rooms"]


def test_a_knock_answered_by_an_ignored_user_is_over(alice, bob):
    bob.put(f"/v3/user/{bob.user_id}/account_data/m.ignored_user_list", {"ignored_users": {alice.user_id: {}}})
    room = alice.create_room()
    alice.set_state(room, "m.room.join_rules", {"join_rule": "knock"})
    bob.post(f"/v3/knock/{room}")
    token = bob.sync()["next_batch"]
    alice.post(f"/v3/rooms/{room}/invite", {"user_id": bob.user_id})
    rooms = bob.sync(token)["rooms"]
    assert (list(rooms["leave"]), list(rooms)) == ([room], ["leave"])


def test_the_summary_counts_members_and_names_heroes_of_a_nameless_room(alice, bob, room):
    first = alice.sync()
    summary = {"m.joined_member_count": 2, "m.invited_member_count": 0, "m.heroes": [bob.user_id]}
    assert joined(first, room)["summary"] == summary
    bob.send(room, "no change")
    answer = alice.sync(first["next_batch"])
    assert joined(answer, room)["summary"] == {}
    alice.set_state(room, "m.room.name", {"name": "named"})
    token = alice.sync(answer["next_batch"])["next_batch"]
    bob.post(f"{at(room)}/leave")
    assert joined(alice.sync(token), room)["summary"] == {"m.joined_member_count": 1, "m.invited_member_count": 0}
