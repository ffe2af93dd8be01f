"""A token from before a purge: what changed is gone, so the client gets the room anew."""

from __future__ import annotations


def test_a_change_of_state_that_was_purged_is_told_by_the_whole_state(world):
    anna, ben = world.user(), world.user()
    room = world.room(anna, ben)
    token = world.sync(ben)["next_batch"]
    world.send(room, anna, "m.room.topic", {"topic": "purged with its change"}, "")
    for number in range(12):
        kept = world.say(room, anna, f"m{number}")
    world.graph.purger.purge(room, kept)
    world.notifier._active.drop(world.notifier.user(ben.user_nid))
    part = world.part(world.sync(ben, token), room)
    told = {event["type"]: event["content"] for event in part["state"]["events"]}
    assert told["m.room.topic"] == {"topic": "purged with its change"}
    assert "m.room.create" in told
    assert [event["content"]["body"] for event in part["timeline"]["events"]] == ["m11"]
