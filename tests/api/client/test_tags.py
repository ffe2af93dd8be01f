"""Tags of rooms."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.api.client.sync_room import events, joined
from tests.servers.trellis import Refused


@pytest.fixture
def room(alice):
    return alice.create_room()


def path(user, room, tag=None):
    found = f"/v3/user/{quote(user.user_id, safe='')}/rooms/{quote(room, safe='')}/tags"
    return found if tag is None else f"{found}/{quote(tag, safe='')}"


def tags(answer, room):
    """The tags an answer tells of, None for none."""
    found = [one["content"]["tags"] for one in events(joined(answer, room), "account_data") if one["type"] == "m.tag"]
    return found[0] if found else None


def test_tags_are_put_listed_synced_and_removed(alice, room):
    since = alice.sync()["next_batch"]
    alice.put(path(alice, room, "m.favourite"), {"order": 0.25})
    alice.put(path(alice, room, "u.Work/Ä"))
    both = {"m.favourite": {"order": 0.25}, "u.Work/Ä": {}}
    assert alice.get(path(alice, room)) == {"tags": both}
    answer = alice.sync(since)
    assert tags(answer, room) == tags(alice.sync(), room) == both
    alice.call("DELETE", path(alice, room, "u.Work/Ä"))
    alice.call("DELETE", path(alice, room, "never there"))
    assert tags(alice.sync(answer["next_batch"]), room) == {"m.favourite": {"order": 0.25}}


def test_a_room_without_tags_has_an_empty_list(alice, room):
    assert alice.get(path(alice, room)) == {"tags": {}}


def test_a_tag_that_is_there_already_is_no_news(alice, room):
    alice.put(path(alice, room, "u.x"), {"order": 1})
    since = alice.sync()["next_batch"]
    alice.put(path(alice, room, "u.x"), {"order": 1})
    assert alice.sync(since)["next_batch"] == since


@pytest.mark.parametrize("content", [{"order": "0.5"}, {"order": None}, {"order": True}, []])
def test_an_order_that_is_none_is_refused(alice, room, content):
    with pytest.raises(Refused) as found:
        alice.put(path(alice, room, "u.x"), content)
    assert (found.value.status, found.value.errcode) == (400, "M_BAD_JSON")


def test_an_order_beyond_the_recommended_ones_is_kept(alice, room):
    alice.put(path(alice, room, "u.x"), {"order": 2})
    assert alice.get(path(alice, room)) == {"tags": {"u.x": {"order": 2}}}


def test_names_are_bounded_and_other_users_tags_are_theirs(alice, bob, room):
    with pytest.raises(Refused, match="M_INVALID_PARAM"):
        alice.put(path(alice, room, "ä" * 128))
    for method, where in (
        ("GET", path(alice, room)),
        ("PUT", path(alice, room, "a")),
        ("DELETE", path(alice, room, "a")),
    ):
        with pytest.raises(Refused, match="M_FORBIDDEN"):
            bob.call(method, where, {} if method == "PUT" else None)
