"""Unread counts in syncs: what counts, for whom, and what reading does to it."""

from __future__ import annotations

import json

import pytest

THREADS = json.dumps({"room": {"timeline": {"unread_thread_notifications": True}}})


@pytest.fixture
def room(server, alice, bob):
    """A room of alice and bob and a third, so that it is no conversation of two."""
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    server.register().join(room)
    return room


def counts(user, room, since=None):
    """(notifications, highlights) of a room, as a sync tells."""
    told = user.sync(since)["rooms"]["join"][room]["unread_notifications"]
    return told["notification_count"], told["highlight_count"]


def thread_counts(user, room):
    """(main, {root: (notifications, highlights)}) as a sync by threads tells."""
    told = user.sync(filter=THREADS)["rooms"]["join"][room]
    threads = {
        root: (one["notification_count"], one["highlight_count"])
        for root, one in told["unread_thread_notifications"].items()
    }
    return told["unread_notifications"]["notification_count"], threads


def read(user, room, event_id, kind="m.read", **body):
    user.post(f"/v3/rooms/{room}/receipt/{kind}/{event_id}", body)


def mention(user, body="hey"):
    return {"msgtype": "m.text", "body": body, "m.mentions": {"user_ids": [user.user_id]}}


def in_thread(root, body="hello"):
    return {"msgtype": "m.text", "body": body, "m.relates_to": {"rel_type": "m.thread", "event_id": root}}


def test_messages_of_others_count_until_they_are_read(alice, bob, room):
    assert counts(bob, room) == (0, 0)
    first, last = alice.send(room), alice.send(room)
    assert counts(bob, room) == (2, 0)
    assert counts(alice, room) == (0, 0)
    read(bob, room, first)
    assert counts(bob, room) == (1, 0)
    read(bob, room, last, "m.read.private")
    assert counts(bob, room) == (0, 0)


def test_the_count_comes_with_the_event_it_counts(alice, bob, room):
    since = bob.sync()["next_batch"]
    alice.send(room)
    assert counts(bob, room, since) == (1, 0)


def test_reading_is_told_to_a_waiting_sync_that_wants_no_receipts(alice, bob, room):
    event = alice.send(room)
    filter_ = json.dumps({"room": {"ephemeral": {"types": []}}})
    since = bob.sync(filter=filter_)["next_batch"]
    read(bob, room, event)
    told = bob.sync(since, filter=filter_)["rooms"]["join"][room]
    assert told["unread_notifications"] == {"highlight_count": 0, "notification_count": 0}


def test_a_mention_highlights_for_whom_it_mentions(alice, bob, room):
    alice.send(room, mention(bob))
    assert counts(bob, room) == (1, 1)


def test_everybody_is_highlighted_by_who_may_notify_the_room(alice, bob, room):
    alice.send(room, {"msgtype": "m.text", "body": "@room", "m.mentions": {"room": True}})
    assert counts(bob, room) == (1, 1)
    bob.send(room, {"msgtype": "m.text", "body": "@room", "m.mentions": {"room": True}})
    assert counts(alice, room) == (1, 0)


def test_sending_reads_what_came_before(alice, bob, room):
    alice.send(room, mention(bob))
    bob.send(room)
    assert counts(bob, room) == (0, 0)
    assert counts(alice, room) == (1, 0)


def test_edits_reactions_and_notices_do_not_count(alice, bob, room):
    event = alice.send(room)
    edit = {"rel_type": "m.replace", "event_id": event}
    alice.send(room, {"msgtype": "m.text", "body": "* x", "m.relates_to": edit, "m.new_content": {}})
    alice.send(room, {"m.relates_to": {"rel_type": "m.annotation", "event_id": event, "key": "x"}}, "m.reaction")
    alice.send(room, {"msgtype": "m.notice", "body": "beep"})
    assert counts(bob, room) == (1, 0)


def test_encrypted_events_count(alice, bob, room):
    alice.send(room, {"algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "x"}, "m.room.encrypted")
    assert counts(bob, room) == (1, 0)


def test_a_redacted_event_counts_no_more(alice, bob, room):
    alice.send(room)
    event = alice.send(room, mention(bob))
    assert counts(bob, room) == (2, 1)
    alice.put(f"/v3/rooms/{room}/redact/{event}/r1")
    assert counts(bob, room) == (1, 0)


def test_a_muted_room_counts_nothing_from_then_on(alice, bob, room):
    alice.send(room)
    assert counts(bob, room) == (1, 0)
    rule = f"/v3/pushrules/global/override/{room}"
    condition = {"kind": "event_match", "key": "room_id", "pattern": room}
    bob.put(rule, {"actions": [], "conditions": [condition]})
    alice.send(room, mention(bob))
    assert counts(bob, room) == (1, 0)
    bob.call("DELETE", rule)
    alice.send(room)
    assert counts(bob, room) == (2, 0)


def test_a_keyword_highlights_for_its_owner_alone(server, alice, bob, room):
    other = server.register()
    other.join(room)
    actions = ["notify", {"set_tweak": "highlight"}]
    bob.put("/v3/pushrules/global/content/cake", {"actions": actions, "pattern": "cake"})
    alice.send(room, "there is cake")
    alice.send(room, "there is none")
    assert counts(bob, room) == (2, 1)
    assert counts(other, room) == (2, 0)


def test_what_an_ignored_user_sends_does_not_count(alice, bob, room):
    bob.put(f"/v3/user/{bob.user_id}/account_data/m.ignored_user_list", {"ignored_users": {alice.user_id: {}}})
    alice.send(room, mention(bob))
    assert counts(bob, room) == (0, 0)


def test_what_happened_before_one_came_back_does_not_count(alice, bob, room):
    alice.send(room)
    bob.post(f"/v3/rooms/{room}/leave")
    alice.send(room)
    bob.join(room)
    assert counts(bob, room) == (0, 0)
    alice.send(room)
    assert counts(bob, room) == (1, 0)


def test_changing_ones_name_reads_nothing(alice, bob, room):
    alice.send(room)
    bob.put(f"/v3/profile/{bob.user_id}/displayname", {"displayname": "Bob"})
    alice.send(room)
    assert counts(bob, room) == (2, 0)


def test_threads_count_on_their_own_where_the_filter_asks_for_it(alice, bob, room):
    root = alice.send(room)
    in_one = alice.send(room, in_thread(root))
    alice.send(room, {**mention(bob), **in_thread(root)})
    assert thread_counts(bob, room) == (1, {root: (2, 1)})
    assert counts(bob, room) == (3, 1)
    read(bob, room, root, thread_id="main")
    assert thread_counts(bob, room) == (0, {root: (2, 1)})
    read(bob, room, in_one, thread_id=root)
    assert thread_counts(bob, room) == (0, {root: (1, 1)})
    last = alice.send(room)
    read(bob, room, last)
    assert thread_counts(bob, room) == (0, {})


def test_sending_into_a_thread_reads_that_thread_alone(alice, bob, room):
    root = alice.send(room)
    alice.send(room, in_thread(root))
    bob.send(room, in_thread(root))
    assert thread_counts(bob, room) == (1, {})
