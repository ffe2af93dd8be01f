"""Typing: told while it lasts."""

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


def type_in(user, room, is_typing=True, of=None, **body):
    user.put(f"{at(room)}/typing/{quote(of or user.user_id, safe='')}", {"typing": is_typing, **body})


def typing(answer, room):
    """The list an answer has of a room, None for none."""
    found = [event for event in events(joined(answer, room), "ephemeral") if event["type"] == "m.typing"]
    return found[0]["content"]["user_ids"] if found else None


def test_who_types_is_told_and_who_stops(alice, bob, room):
    answer = alice.sync()
    assert typing(answer, room) is None
    type_in(bob, room, timeout=30_000)
    answer = alice.sync(answer["next_batch"])
    assert typing(answer, room) == [bob.user_id]
    assert typing(alice.sync(answer["next_batch"]), room) is None
    assert typing(alice.sync(), room) == [bob.user_id]
    type_in(bob, room, False)
    answer = alice.sync(answer["next_batch"])
    assert typing(answer, room) == []
    assert typing(alice.sync(), room) is None


def test_a_waiting_sync_is_told_of_the_beginning_and_of_the_end_of_the_time(alice, bob, room):
    since = alice.sync()["next_batch"]
    waiting = gevent.spawn(alice.wait, since)
    gevent.sleep(0.05)
    type_in(bob, room, timeout=1)
    answer = waiting.get(timeout=10)
    assert typing(answer, room) == [bob.user_id]
    assert typing(alice.wait(answer["next_batch"]), room) == []


def test_typing_again_is_no_news(alice, bob, room):
    type_in(bob, room)
    since = alice.sync()["next_batch"]
    type_in(bob, room)
    assert "rooms" not in alice.sync(since)


def test_the_list_is_of_everybody_who_types(alice, bob, room):
    type_in(bob, room)
    since = alice.sync()["next_batch"]
    type_in(alice, room)
    assert typing(alice.sync(since), room) == [bob.user_id, alice.user_id]


def test_one_types_only_for_oneself_and_only_where_one_is(alice, bob, room):
    with pytest.raises(Refused, match="403"):
        type_in(alice, room, of=bob.user_id)
    bob.post(f"{at(room)}/leave")
    with pytest.raises(Refused, match="403"):
        type_in(bob, room)


@pytest.mark.parametrize("body", [{"typing": 1}, {"typing": True, "timeout": -1}, {"typing": True, "timeout": 1.5}])
def test_what_is_no_typing_is_refused(alice, room, body):
    with pytest.raises(Refused) as found:
        alice.put(f"{at(room)}/typing/{quote(alice.user_id, safe='')}", body)
    assert (found.value.status, found.value.errcode) == (400, "M_BAD_JSON")


def test_a_filter_and_ignoring_keep_typing_out(alice, bob, room):
    since = alice.sync()["next_batch"]
    type_in(bob, room)
    assert alice.sync(since, filter=wanted(ephemeral={"types": ["m.receipt"]})).get("rooms") is None
    path = f"/v3/user/{quote(alice.user_id, safe='')}/account_data/m.ignored_user_list"
    alice.put(path, {"ignored_users": {bob.user_id: {}}})
    assert typing(alice.sync(since), room) == []
