"""State in syncs of rooms whose graph forks: the client must end with the state that was resolved."""

from __future__ import annotations

import pytest

from core.events.event_filter import RoomEventFilter, RoomFilter, SyncFilter

SHORT = SyncFilter(room=RoomFilter(timeline=RoomEventFilter(limit=1)))


def topics(part: dict, key: str) -> list[str]:
    """The topics that the state of a part sets."""
    return [event["content"]["topic"] for event in part[key]["events"] if event["type"] == "m.room.topic"]


@pytest.mark.parametrize("key", ["state", "state_after"])
def test_a_change_that_came_of_resolution_alone_is_told(world, key):
    anna, ben = world.user(), world.user()
    room = world.room(anna, ben)
    fork = world.send(room, anna, "m.room.topic", {"topic": "first"}, "")
    world.send(room, ben, "m.room.topic", {"topic": "by a user who was banned meanwhile"}, "")
    token = world.sync(anna)["next_batch"]
    ban = world.fork(room, anna, "m.room.member", {"membership": "ban"}, ben.user_id, [fork])
    assert world.graph.states.current(room).get("m.room.topic").content == {"topic": "first"}
    part = world.part(world.sync(anna, token, state_key=key), room)
    assert [event["event_id"] for event in part["timeline"]["events"]] == [ban]
    assert topics(part, key) == ["first"]


@pytest.mark.parametrize("key", ["state", "state_after"])
def test_behind_a_gap_with_a_fork_the_resolved_state_is_told(world, key):
    anna = world.user()
    room = world.room(anna)
    fork = world.say(room, anna, "fork")
    token = world.sync(anna)["next_batch"]
    world.send(room, anna, "m.room.topic", {"topic": "one"}, "")
    world.fork(room, anna, "m.room.topic", {"topic": "two"}, "", [fork])
    world.say(room, anna, "end")
    resolved = world.graph.states.current(room).get("m.room.topic").content["topic"]
    part = world.part(world.sync(anna, token, filter=SHORT, state_key=key), room)
    assert part["timeline"]["limited"] is True
    assert topics(part, key) == [resolved]


def test_state_after_leaves_out_what_lost_the_resolution(world):
    anna = world.user()
    room = world.room(anna)
    fork = world.say(room, anna, "fork")
    world.fork(room, anna, "m.room.topic", {"topic": "later"}, "", [fork])
    kept = world.graph.states.current(room).get("m.room.topic")
    world._clock -= 2_000  # an older timestamp loses against a newer one
    token = world.sync(anna)["next_batch"]
    lost = world.fork(room, anna, "m.room.topic", {"topic": "earlier"}, "", [fork])
    world._clock += 2_000
    assert world.graph.states.current(room).get("m.room.topic").event_id == kept.event_id
    part = world.part(world.sync(anna, token, state_key="state_after"), room)
    assert [event["event_id"] for event in part["timeline"]["events"]] == [lost]
    assert topics(part, "state_after") == []
