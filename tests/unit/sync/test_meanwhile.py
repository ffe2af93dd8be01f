"""What happens while an answer is being made belongs to the next answer, and nothing gets lost between the two."""

from __future__ import annotations

import gevent
import pytest

from core.events.event_filter import RoomEventFilter, RoomFilter, SyncFilter
from core.sync.pausing import Pauses
from tests.unit.sync.world import World


def bodies(world: World, answer: dict, room) -> list[str]:
    """The texts an answer has of a room, joined or left."""
    rooms, room_id = answer.get("rooms", {}), world.graph.rooms.name(room).room_id
    part = rooms.get("join", {}).get(room_id) or rooms.get("leave", {}).get(room_id) or {"timeline": {"events": []}}
    return [event["content"]["body"] for event in part["timeline"]["events"] if "body" in event["content"]]


@pytest.fixture
def meanwhile(monkeypatch):
    """Has something done once, at the first pause of an answer."""

    def arrange(doing):
        todo = [doing]

        def pause(_):
            while todo:
                todo.pop()()

        monkeypatch.setattr(Pauses, "__call__", pause)

    return arrange


@pytest.mark.parametrize("is_forgotten_in_memory", [False, True])
def test_who_leaves_while_the_answer_is_made_gets_everything_up_to_the_leave(world, meanwhile, is_forgotten_in_memory):
    anna, ben = world.user(), world.user()
    room = world.room(anna, ben)
    token = world.sync(ben)["next_batch"]
    world.say(room, anna, "before")
    if is_forgotten_in_memory:
        world.notifier._active.drop(world.notifier.user(ben.user_nid))
    meanwhile(lambda: world.send(room, ben, "m.room.member", {"membership": "leave"}, ben.user_id))
    first = world.sync(ben, token)
    second = world.sync(ben, first["next_batch"])
    assert bodies(world, first, room) == ["before"]
    assert "leave" in second["rooms"]
    assert bodies(world, second, room) == []


def test_a_message_that_comes_while_the_answer_is_made_is_in_the_next(world, meanwhile):
    anna, ben = world.user(), world.user()
    room = world.room(anna, ben)
    token = world.sync(ben)["next_batch"]
    world.say(room, anna, "first")
    meanwhile(lambda: world.say(room, anna, "second"))
    first = world.sync(ben, token)
    assert bodies(world, first, room) == ["first"]
    assert bodies(world, world.sync(ben, first["next_batch"]), room) == ["second"]


def test_a_room_joined_while_a_first_sync_is_made_is_whole_in_the_next(world, meanwhile):
    anna, ben = world.user(), world.user()
    room, other = world.room(anna), world.room(ben)
    meanwhile(lambda: world.send(room, ben, "m.room.member", {"membership": "join"}, ben.user_id))
    first = world.sync(ben)
    part = world.part(world.sync(ben, first["next_batch"]), room)
    assert world.part(first, other) != {}
    kinds = {event["type"] for key in ("state", "timeline") for event in part[key]["events"]}
    assert {"m.room.create", "m.room.member"} <= kinds


def test_clients_that_wait_get_every_message_of_senders_that_send_at_once(world):
    senders, clients = [world.user() for _ in range(4)], [world.user() for _ in range(4)]
    room = world.room(senders[0], *senders[1:], *clients)
    expected = {f"{sender}-{number}" for sender in range(4) for number in range(25)}
    everything = SyncFilter(room=RoomFilter(timeline=RoomEventFilter(limit=500)))

    def listen(who, token):
        heard: list[str] = []
        while len(heard) < len(expected):
            answer = world.sync(who, token, 5_000, filter=everything)
            assert world.part(answer, room), "a sync ended without news before all was told"
            heard += bodies(world, answer, room)
            token = answer["next_batch"]
        return heard

    def talk(sender):
        for number in range(25):
            world.say(room, senders[sender], f"{sender}-{number}")

    listening = [gevent.spawn(listen, who, world.sync(who)["next_batch"]) for who in clients]
    talking = [gevent.spawn(talk, sender) for sender in range(4)]
    gevent.joinall([*talking, *listening], timeout=30, raise_error=True)
    heard = [one.get(block=False) for one in listening]
    assert all(sorted(one) == sorted(expected) for one in heard)
    assert heard[0] == heard[1] == heard[2] == heard[3]
