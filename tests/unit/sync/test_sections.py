"""Sections: each adds its part, lists under one key come together, and news of one ends a waiting sync."""

from __future__ import annotations

import gevent
import pytest

from core.graph.history import HistoryToken


class Typing:
    """Something that is only in memory: who types in which room, and since which count."""

    def __init__(self) -> None:
        self.rooms: dict[int, tuple[int, bytes]] = {}

    def current(self, asking, rooms):
        return {room: {"ephemeral": [self.rooms[room][1]]} for room in rooms if room in self.rooms}

    def news(self, asking, rooms):
        fresh = {room for room, (count, _) in self.rooms.items() if count > asking.window.counted_since}
        return self.current(asking, fresh)


class Receipts:
    """Another one that adds to the same list, where a room is in the answer anyway."""

    def current(self, asking, rooms):
        return {room: {"ephemeral": [b'{"type":"receipts"}']} for room in rooms}

    news = current


class Devices:
    """One at the top of the answer."""

    def current(self, asking):
        return {"device_lists": b'{"changed":[]}'}

    def news(self, asking):
        return {}


@pytest.fixture
def typing(world, monkeypatch) -> Typing:
    """A server with these sections."""
    typing, assembler = Typing(), world.app.sync.service._assembler
    monkeypatch.setattr(assembler, "_room_sections", [typing, Receipts(), *assembler._room_sections])
    monkeypatch.setattr(assembler, "_sections", [*assembler._sections, Devices()])
    return typing


def kinds(part: dict) -> list[str]:
    """The types of a room's ephemeral events."""
    return [event["type"] for event in part["ephemeral"]["events"]]


def test_a_first_sync_has_what_holds_now(world, typing):
    anna = world.user()
    room = world.room(anna)
    typing.rooms[room] = (world.notifier.count_in_room(room), b'{"type":"typing"}')
    answer = world.sync(anna)
    assert answer["device_lists"] == {"changed": []}
    assert kinds(world.part(answer, room)) == ["typing", "receipts"]


def test_news_that_is_only_in_memory_ends_a_waiting_sync_once(world, typing):
    anna, ben = world.user(), world.user()
    room, other = world.room(anna, ben), world.room(ben)
    answer = world.sync(anna)
    waiter = gevent.spawn(world.sync, anna, answer["next_batch"], 10_000)
    gevent.sleep(0.02)
    for one in (room, other):
        typing.rooms[one] = (world.notifier.count_in_room(one), b'{"type":"typing"}')
    answer = waiter.get(timeout=5)
    assert list(answer["rooms"]["join"]) == [world.graph.rooms.name(room).room_id]
    assert kinds(world.part(answer, room)) == ["typing", "receipts"]
    assert world.part(answer, room)["timeline"]["events"] == []
    assert world.sync(anna, answer["next_batch"])["next_batch"] == answer["next_batch"]


def test_a_token_of_another_epoch_gets_what_holds_now(world, typing):
    anna = world.user()
    room = world.room(anna)
    typing.rooms[room] = (world.notifier.count_in_room(room), b'{"type":"typing"}')
    position = world.sync(anna)["next_batch"].partition("_")[0]
    assert kinds(world.part(world.sync(anna, f"{position}_1.99999"), room)) == ["typing", "receipts"]


def test_from_a_room_without_new_events_can_be_paged_back(world, typing):
    anna = world.user()
    room = world.room(anna)
    said = world.say(room, anna, "told before")
    answer = world.sync(anna)
    typing.rooms[room] = (world.notifier.count_in_room(room), b'{"type":"typing"}')
    part = world.part(world.sync(anna, answer["next_batch"]), room)
    world.say(room, anna, "told later")
    start = HistoryToken.parse(part["timeline"]["prev_batch"])
    assert world.graph.history.page(room, start, True, 1).events[0].nid == said.nid
