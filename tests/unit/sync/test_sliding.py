"""Sliding syncs where memory does not reach back, graphs fork, history was purged, or much is asked of one device."""

from __future__ import annotations

import pytest

from core.sync.sliding.connections import CONNECTIONS_PER_DEVICE, UnknownPosition
from core.sync.sliding.required_state import RequiredState
from tests.unit.sync.test_out_of_band import INVITER, NAME, tell

TOPIC = [["m.room.topic", ""]]


def listed(limit: int = 10, required: object = TOPIC, **more: object) -> dict:
    """A request for all rooms."""
    return {"lists": {"a": {"ranges": [[0, 99]], "timeline_limit": limit, "required_state": required}}, **more}


def bodies(part: dict) -> list[str]:
    return [event["content"]["body"] for event in part["timeline"] if event["type"] == "m.room.message"]


def topics(part: dict) -> list[str]:
    return [event["content"]["topic"] for event in part.get("required_state", ())]


def test_who_was_away_for_long_is_told_what_happened(world):
    anna, ben = world.user(), world.user()
    room, quiet = world.room(anna, ben), world.room(anna, ben)
    pos = world.slide(ben, listed())["pos"]
    world.let_go(ben)
    world.say(room, anna, "news")
    world.send(room, anna, "m.room.topic", {"topic": "new"}, "")
    answer = world.slide(ben, listed(), pos)
    part = world.slid(answer, room)
    assert (bodies(part), topics(part), part["num_live"]) == (["news"], ["new"], 2)
    assert world.slid(answer, quiet) == {}


def test_who_was_away_while_they_were_kicked_is_told_so(world):
    anna, ben = world.user(), world.user()
    room = world.room(anna, ben)
    pos = world.slide(ben, listed())["pos"]
    world.let_go(ben)
    world.send(room, anna, "m.room.member", {"membership": "leave"}, ben.user_id)
    world.say(room, anna, "among ourselves")
    part = world.slid(world.slide(ben, listed(), pos), room)
    assert part["membership"] == "leave"
    assert bodies(part) == []


def test_who_left_with_another_device_while_away_is_told_so_once(world):
    anna, ben = world.user(), world.user()
    room = world.room(anna, ben)
    pos = world.slide(ben, listed())["pos"]
    world.let_go(ben)
    world.send(room, ben, "m.room.member", {"membership": "leave"}, ben.user_id)
    answer = world.slide(ben, listed(), pos)
    assert world.slid(answer, room)["membership"] == "leave"
    assert world.slide(ben, listed(), answer["pos"])["rooms"] == {}


def test_who_left_and_came_back_while_away_is_told_everything_anew(world):
    anna, ben = world.user(), world.user()
    room = world.room(anna, ben)
    pos = world.slide(ben, listed())["pos"]
    world.let_go(ben)
    for membership in ("leave", "join"):
        world.send(room, ben, "m.room.member", {"membership": membership}, ben.user_id)
    assert world.slid(world.slide(ben, listed(), pos), room)["initial"] is True


def test_a_change_that_came_of_resolution_alone_is_told(world):
    anna, ben = world.user(), world.user()
    room = world.room(anna, ben)
    fork = world.send(room, anna, "m.room.topic", {"topic": "first"}, "")
    world.send(room, ben, "m.room.topic", {"topic": "by a user who was banned meanwhile"}, "")
    pos = world.slide(anna, listed())["pos"]
    world.fork(room, anna, "m.room.member", {"membership": "ban"}, ben.user_id, [fork])
    assert topics(world.slid(world.slide(anna, listed(), pos), room)) == ["first"]


def test_a_room_whose_changes_were_purged_is_told_anew(world):
    anna, ben = world.user(), world.user()
    room = world.room(anna, ben)
    pos = world.slide(ben, listed())["pos"]
    world.send(room, anna, "m.room.topic", {"topic": "purged with its change"}, "")
    for number in range(12):
        kept = world.say(room, anna, f"m{number}")
    world.graph.purger.purge(room, kept)
    world.let_go(ben)
    part = world.slid(world.slide(ben, listed(), pos), room)
    assert (part["initial"], topics(part), bodies(part)) == (True, ["purged with its change"], ["m11"])


def test_what_ignored_users_say_is_not_told(world):
    anna, ben = world.user(), world.user()
    room = world.room(anna, ben)
    content = b'{"ignored_users":{"%b":{}}}' % anna.user_id.encode()
    store, writer = world.app.accounts.account_data_store, world.app.ground.storage.writer
    writer.submit(lambda transaction: store.set(transaction, ben.user_nid, "m.ignored_user_list", content))
    world.say(room, anna, "unheard")
    world.say(room, ben, "heard")
    assert bodies(world.slid(world.slide(ben, listed()), room)) == ["heard"]


def test_an_invite_of_another_server_has_the_state_that_came_with_it(world):
    anna = world.user()
    pos = world.slide(anna, listed())["pos"]
    tell(world, "!slide:there.test", INVITER, anna.user_id, "invite", [NAME])
    answer = world.slide(anna, listed(), pos)
    part = answer["rooms"]["!slide:there.test"]
    assert (part["membership"], part["name"], part["invite_state"][0]) == ("invite", "Far away", NAME)
    assert part["bump_stamp"] > 0
    tell(world, "!slide:there.test", INVITER, anna.user_id, "leave", [])
    ended = world.slide(anna, listed(), answer["pos"])
    assert ended["rooms"]["!slide:there.test"]["membership"] == "leave"
    assert ended["lists"]["a"]["count"] == 0
    assert world.slide(anna, listed(), ended["pos"])["rooms"] == {}


def test_a_device_with_too_many_connections_loses_the_oldest(world):
    anna = world.user()
    first = world.slide(anna, {**listed(), "conn_id": "first"})["pos"]
    for number in range(CONNECTIONS_PER_DEVICE):
        world.slide(anna, {**listed(), "conn_id": str(number)})
    with pytest.raises(UnknownPosition):
        world.slide(anna, {**listed(), "conn_id": "first"}, first)


def test_bump_stamps_follow_messages_and_nothing_else(world):
    anna = world.user()
    room = world.room(anna)
    world.say(room, anna, "one")
    answer = world.slide(anna, listed())
    stamp = world.slid(answer, room)["bump_stamp"]
    world.send(room, anna, "m.room.topic", {"topic": "no bump"}, "")
    answer = world.slide(anna, listed(), answer["pos"])
    assert world.slid(answer, room)["bump_stamp"] == stamp
    world.say(room, anna, "two")
    assert world.slid(world.slide(anna, listed(), answer["pos"]), room)["bump_stamp"] > stamp


@pytest.mark.parametrize(
    ("wide", "narrow", "holds"),
    [
        ([["a", "*"]], [["a", "x"]], True),
        ([["*", "*"]], [["a", "*"], ["*", "b"]], True),
        ([["a", "x"]], [["a", "*"]], False),
        ([["*", "x"]], [["a", "*"]], False),
        ([["*", "*"]], [["m.room.member", "$LAZY"]], False),
        ([["a", "$ME"], ["a", "x"]], [["a", "$ME"]], True),
    ],
)
def test_one_required_state_may_hold_another(wide, narrow, holds):
    found = RequiredState.of(map(tuple, wide)).holds(RequiredState.of(map(tuple, narrow)))
    assert found is holds
