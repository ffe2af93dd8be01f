"""Jumping to a date over HTTP."""

import pytest

from tests.servers.trellis import Refused


def nearest(user, room, ts, direction):
    return user.get(f"/v1/rooms/{room}/timestamp_to_event", ts=ts, dir=direction)


def test_the_nearest_event_in_a_direction_is_found(alice):
    room = alice.create_room()
    events = [alice.send(room, str(n)) for n in range(3)]
    times = [alice.get(f"/v3/rooms/{room}/event/{event}")["origin_server_ts"] for event in events]
    found = nearest(alice, room, times[2], "b")
    assert found["event_id"] in events[times.index(times[2]) :]
    assert found["origin_server_ts"] == times[2]
    assert nearest(alice, room, 0, "f")["origin_server_ts"] <= times[0]
    assert nearest(alice, room, times[2] + 1_000_000, "b")["event_id"] == events[2]


@pytest.mark.parametrize(("ts", "direction"), [(0, "b"), (4_000_000_000_000, "f")])
def test_beyond_either_end_there_is_none(alice, ts, direction):
    room = alice.create_room()
    with pytest.raises(Refused) as refused:
        nearest(alice, room, ts, direction)
    assert (refused.value.status, refused.value.errcode) == (404, "M_NOT_FOUND")


def test_only_what_one_may_see_is_found(alice, bob):
    visibility = {"type": "m.room.history_visibility", "content": {"history_visibility": "joined"}}
    room = alice.create_room(preset="public_chat", initial_state=[visibility])
    hidden = [alice.send(room, str(n)) for n in range(30)]
    with pytest.raises(Refused) as refused:
        nearest(bob, room, 0, "f")
    assert refused.value.status == 403
    bob.join(room)
    assert nearest(bob, room, 0, "f")["event_id"] not in hidden


@pytest.mark.parametrize("query", [{"ts": 1}, {"dir": "f"}, {"ts": "x", "dir": "f"}, {"ts": 1, "dir": "up"}])
def test_a_wrong_query_is_refused(alice, query):
    room = alice.create_room()
    with pytest.raises(Refused) as refused:
        alice.get(f"/v1/rooms/{room}/timestamp_to_event", **query)
    assert refused.value.status == 400
