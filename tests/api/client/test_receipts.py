"""Receipts and read markers: who is told of them, and which are refused."""

from __future__ import annotations

from urllib.parse import quote

import gevent
import pytest

from tests.api.client.sync_room import at, events, joined, wanted
from tests.servers.trellis import Refused


@pytest.fixture
def room(alice, bob):
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    return room


def read(user, room, event_id, kind="m.read", body=None):
    user.post(f"{at(room)}/receipt/{kind}/{quote(event_id, safe='')}", body)


def receipts(answer, room):
    """(event, type, user, thread) of each receipt an answer tells of."""
    return {
        (event_id, kind, user, told.get("thread_id"))
        for event in events(joined(answer, room), "ephemeral")
        if event["type"] == "m.receipt"
        for event_id, kinds in event["content"].items()
        for kind, users in kinds.items()
        for user, told in users.items()
    }


def fully_read(answer, room):
    data = {event["type"]: event["content"] for event in events(joined(answer, room), "account_data")}
    return data.get("m.fully_read", {}).get("event_id")


def in_thread(user, room, root):
    return user.send(
        room, {"msgtype": "m.text", "body": "x", "m.relates_to": {"rel_type": "m.thread", "event_id": root}}
    )


def refused(user, room, event_id, kind="m.read", body=None):
    with pytest.raises(Refused) as found:
        read(user, room, event_id, kind, body)
    return found.value.status, found.value.errcode


def test_a_receipt_is_told_to_everybody_in_the_room_and_again_to_who_comes_later(alice, bob, room):
    event = alice.send(room)
    since = alice.sync()["next_batch"]
    read(bob, room, event)
    answer = alice.sync(since)
    assert receipts(answer, room) == {(event, "m.read", bob.user_id, None)}
    assert events(joined(answer, room)) == []
    assert receipts(alice.sync(answer["next_batch"]), room) == set()
    assert receipts(alice.sync(), room) == receipts(bob.sync(), room) == receipts(answer, room)


def test_a_waiting_sync_ends_with_a_receipt(alice, bob, room):
    event = alice.send(room)
    since = alice.sync()["next_batch"]
    waiting = gevent.spawn(alice.wait, since)
    gevent.sleep(0.05)
    read(bob, room, event)
    assert receipts(waiting.get(timeout=10), room) == {(event, "m.read", bob.user_id, None)}


def test_a_private_receipt_is_told_to_nobody_else(alice, bob, room):
    event = alice.send(room)
    since, own_since = alice.sync()["next_batch"], bob.sync()["next_batch"]
    read(bob, room, event, "m.read.private")
    assert receipts(alice.sync(since), room) == receipts(alice.sync(), room) == set()
    told = {(event, "m.read.private", bob.user_id, None)}
    assert receipts(bob.sync(own_since), room) == receipts(bob.sync(), room) == told


def test_a_receipt_that_would_go_back_or_repeats_is_no_news(alice, bob, room):
    older, newer = alice.send(room), alice.send(room)
    read(bob, room, newer)
    since = alice.sync()["next_batch"]
    read(bob, room, older)
    read(bob, room, newer)
    assert alice.sync(since)["next_batch"] == since


def test_receipts_of_threads_stand_beside_each_other(alice, bob, room):
    root = alice.send(room)
    reply = in_thread(alice, room, root)
    last = alice.send(room)
    read(bob, room, root, body={"thread_id": "main"})
    read(bob, room, root)
    read(bob, room, reply, body={"thread_id": root})
    read(bob, room, last, body={"thread_id": "main"})
    assert receipts(alice.sync(), room) == {
        (root, "m.read", bob.user_id, None),
        (reply, "m.read", bob.user_id, root),
        (last, "m.read", bob.user_id, "main"),
    }


def test_what_relates_to_an_event_of_a_thread_is_in_the_thread(alice, bob, room):
    root = alice.send(room)
    reply = in_thread(alice, room, root)
    edit = alice.send(
        room, {"msgtype": "m.text", "body": "*", "m.relates_to": {"rel_type": "m.replace", "event_id": reply}}
    )
    read(bob, room, edit, body={"thread_id": root})
    assert refused(bob, room, edit, body={"thread_id": "main"}) == (400, "M_INVALID_PARAM")
    on_root = alice.send(
        room, {"m.relates_to": {"rel_type": "m.annotation", "event_id": root, "key": "+"}}, "m.reaction"
    )
    read(bob, room, on_root, body={"thread_id": "main"})


@pytest.mark.parametrize("thread", ["", 5, None, ["main"], "no event id"])
def test_a_thread_id_that_can_be_none_is_refused(alice, room, thread):
    event = alice.send(room)
    assert refused(alice, room, event, body={"thread_id": thread}) == (400, "M_INVALID_PARAM")


def test_a_thread_that_the_event_is_not_in_is_refused(alice, room):
    root, event = alice.send(room), alice.send(room)
    reply = in_thread(alice, room, root)
    assert refused(alice, room, event, body={"thread_id": root}) == (400, "M_INVALID_PARAM")
    assert refused(alice, room, reply, body={"thread_id": "main"}) == (400, "M_INVALID_PARAM")
    assert refused(alice, room, root, "m.fully_read", {"thread_id": "main"}) == (400, "M_INVALID_PARAM")


def test_other_types_other_rooms_and_unknown_events_are_refused(alice, bob, room):
    event = alice.send(room)
    elsewhere = alice.send(alice.create_room())
    assert refused(alice, room, event, "m.delivered") == (400, "M_INVALID_PARAM")
    assert refused(alice, room, elsewhere) == (404, "M_NOT_FOUND")
    assert refused(alice, room, "$nothing") == (404, "M_NOT_FOUND")
    bob.post(f"{at(room)}/leave")
    assert refused(bob, room, event) == (403, "M_FORBIDDEN")


def test_an_event_from_before_one_may_see_the_history_cannot_be_read(alice, bob):
    room = alice.create_room(preset="public_chat")
    alice.set_state(room, "m.room.history_visibility", {"history_visibility": "joined"})
    hidden = alice.send(room)
    bob.join(room)
    assert refused(bob, room, hidden) == (404, "M_NOT_FOUND")


def test_the_fully_read_marker_is_account_data_that_moves_forward(alice, room):
    older, newer = alice.send(room), alice.send(room)
    since = alice.sync()["next_batch"]
    read(alice, room, newer, "m.fully_read")
    answer = alice.sync(since)
    assert fully_read(answer, room) == newer
    assert receipts(answer, room) == set()
    alice.post(f"{at(room)}/read_markers", {"m.fully_read": older})
    assert fully_read(alice.sync(), room) == newer


def test_read_markers_move_all_three(alice, bob, room):
    first, second, third = (alice.send(room) for _ in range(3))
    bob.post(f"{at(room)}/read_markers", {"m.fully_read": first, "m.read": second, "m.read.private": third})
    answer = bob.sync()
    assert fully_read(answer, room) == first
    assert receipts(answer, room) == {
        (second, "m.read", bob.user_id, None),
        (third, "m.read.private", bob.user_id, None),
    }
    assert bob.post(f"{at(room)}/read_markers") == {}


def test_a_filter_keeps_receipts_out(alice, bob, room):
    event = alice.send(room)
    since = alice.sync()["next_batch"]
    read(bob, room, event)
    for body in (wanted(ephemeral={"not_types": ["m.receipt"]}), wanted(ephemeral={"not_rooms": [room]})):
        assert receipts(alice.sync(filter=body), room) == set()
        assert alice.sync(since, filter=body).get("rooms") is None


def test_receipts_outlive_a_long_absence_and_come_from_the_database(alice, bob, room, server):
    event = alice.send(room)
    since = alice.sync()["next_batch"]
    read(bob, room, event)
    late = server.register()
    late.join(room)
    assert receipts(late.sync(since), room) == {(event, "m.read", bob.user_id, None)}
    assert receipts(alice.sync(since), room) == {(event, "m.read", bob.user_id, None)}
