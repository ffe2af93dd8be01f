"""Presence over HTTP."""

from __future__ import annotations

from urllib.parse import quote

import gevent
import pytest

from tests.servers.trellis import Refused


@pytest.fixture
def room(alice, bob):
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    return room


def path(user):
    return f"/v3/presence/{quote(user.user_id, safe='')}/status"


def put(user, state, **more):
    user.put(path(user), {"presence": state, **more})


def present(answer):
    """{user: (state, message)} that an answer tells of."""
    events = answer.get("presence", {}).get("events", [])
    return {one["sender"]: (one["content"]["presence"], one["content"].get("status_msg")) for one in events}


def test_a_status_is_read_by_who_shares_a_room(alice, bob, room, server):
    put(bob, "unavailable", status_msg="back søon")
    found = alice.get(path(bob))
    assert (found["presence"], found["status_msg"]) == ("unavailable", "back søon")
    assert found["last_active_ago"] < 60_000
    with pytest.raises(Refused, match="M_FORBIDDEN"):
        server.register().get(path(bob))


def test_syncs_tell_of_a_status_first_next_and_while_waiting(alice, bob, room):
    since = alice.sync(set_presence="offline")["next_batch"]
    waiting = gevent.spawn(alice.sync, since, timeout=20_000, set_presence="offline")
    gevent.sleep(0.05)
    put(bob, "online", status_msg="hi")
    answer = waiting.get(timeout=10)
    assert present(answer)[bob.user_id] == ("online", "hi")
    assert present(alice.sync(set_presence="offline"))[bob.user_id] == ("online", "hi")
    assert bob.user_id not in present(alice.sync(answer["next_batch"], set_presence="offline"))


def test_who_joins_sees_who_is_there_and_is_seen(alice, bob, server):
    room = alice.create_room(preset="public_chat")
    put(alice, "online")
    put(bob, "unavailable", status_msg="new")
    since, own_since = (user.sync(set_presence="offline")["next_batch"] for user in (alice, bob))
    put(alice, "online", status_msg="here")
    bob.join(room)
    assert present(bob.sync(own_since, set_presence="unavailable"))[alice.user_id] == ("online", "here")
    assert present(alice.sync(since, set_presence="online"))[bob.user_id] == ("unavailable", "new")


def test_a_first_sync_tells_its_user_what_it_made_them(alice):
    assert alice.user_id not in present(alice.sync(set_presence="offline"))
    for state in ("unavailable", "online"):
        assert present(alice.sync(set_presence=state)) == {alice.user_id: (state, None)}
    nobody = '{"presence":{"types":[]}}'
    assert present(alice.sync(filter=nobody)) == {}


def test_nobody_hears_of_strangers(alice, bob, server):
    stranger = server.register()
    since = stranger.sync(set_presence="offline")["next_batch"]
    put(bob, "online")
    assert present(stranger.sync(since, set_presence="offline")) == {}
    assert bob.user_id not in present(stranger.sync(set_presence="offline"))


def test_a_sync_makes_its_user_online_unless_it_says_otherwise(alice, bob, room):
    bob.sync(set_presence="offline")
    assert alice.get(path(bob))["presence"] == "offline"
    bob.sync(set_presence="unavailable")
    assert alice.get(path(bob))["presence"] == "unavailable"
    bob.sync()
    assert alice.get(path(bob)) | {"last_active_ago": 0} == {
        "presence": "online",
        "currently_active": True,
        "last_active_ago": 0,
    }


@pytest.mark.parametrize(
    ("body", "errcode"),
    [
        ({}, "M_BAD_JSON"),
        ([], "M_BAD_JSON"),
        ({"presence": 1}, "M_BAD_JSON"),
        ({"presence": "dancing"}, "M_INVALID_PARAM"),
        ({"presence": "online", "status_msg": 5}, "M_BAD_JSON"),
        ({"presence": "online", "status_msg": "ä" * 501}, "M_INVALID_PARAM"),
    ],
)
def test_what_is_no_status_is_refused(alice, body, errcode):
    with pytest.raises(Refused) as found:
        alice.put(path(alice), body)
    assert (found.value.status, found.value.errcode) == (400, errcode)


def test_one_sets_only_ones_own_status(alice, bob, room):
    with pytest.raises(Refused, match="M_FORBIDDEN"):
        alice.put(path(bob), {"presence": "online"})
