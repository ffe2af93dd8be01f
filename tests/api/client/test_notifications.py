"""Listing what notified one: newest first, by pages, highlights alone, read or not."""

from __future__ import annotations

import pytest

from tests.servers.trellis import Refused


@pytest.fixture
def room(server, alice, bob):
    """A room of three."""
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    server.register().join(room)
    return room


def mention(user):
    return {"msgtype": "m.text", "body": "hey", "m.mentions": {"user_ids": [user.user_id]}}


def listed(user, **query):
    return [one["event"]["event_id"] for one in user.get("/v3/notifications", **query)["notifications"]]


def test_what_notified_is_listed_newest_first_and_page_by_page(alice, bob, room):
    sent = [alice.send(room, f"number {number}") for number in range(5)]
    bob.send(room)
    first = bob.get("/v3/notifications", limit=2)
    assert [one["event"]["event_id"] for one in first["notifications"]] == sent[:2:-1]
    second = bob.get("/v3/notifications", limit=3, **{"from": first["next_token"]})
    assert [one["event"]["event_id"] for one in second["notifications"]] == sent[2::-1]
    assert "next_token" not in second


def test_a_notification_says_where_and_why_and_whether_it_was_read(alice, bob, room):
    event, unread = alice.send(room, mention(bob)), alice.send(room)
    bob.post(f"/v3/rooms/{room}/receipt/m.read/{event}")
    newest, oldest = bob.get("/v3/notifications")["notifications"]
    assert (newest["event"]["event_id"], newest["read"], newest["actions"]) == (unread, False, ["notify"])
    assert (oldest["read"], oldest["room_id"]) == (True, room)
    assert {"set_tweak": "highlight"} in oldest["actions"]
    assert oldest["ts"] == oldest["event"]["origin_server_ts"]
    assert "room_id" not in oldest["event"]


def test_only_highlights_are_listed_where_asked_for(alice, bob, room):
    alice.send(room)
    event = alice.send(room, mention(bob))
    alice.send(room)
    assert listed(bob, only="highlight") == [event]


def test_redacted_and_muted_and_earlier_messages_are_not_listed(server, alice, bob, room):
    redacted = alice.send(room)
    alice.put(f"/v3/rooms/{room}/redact/{redacted}/r")
    heard = alice.send(room)
    condition = {"kind": "event_match", "key": "room_id", "pattern": room}
    bob.put(f"/v3/pushrules/global/override/{room}", {"actions": [], "conditions": [condition]})
    alice.send(room)
    assert listed(bob) == [heard]
    late = server.register()
    late.join(room)
    assert listed(late) == []


def test_a_token_that_is_none_is_refused(bob):
    with pytest.raises(Refused) as refused:
        bob.get("/v3/notifications", **{"from": "nonsense"})
    assert refused.value.errcode == "M_INVALID_PARAM"
