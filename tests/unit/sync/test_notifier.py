"""The notifier: who is told, when, and what that costs."""

from __future__ import annotations

import time

import gevent
import pytest
from gevent.hub import get_hub

from core.events.event_filter import RoomEventFilter, RoomFilter, SyncFilter
from core.sync import notifier as notifier_module
from core.sync import pausing
from tests.unit.sync.world import World

ANYTHING_ELSE = SyncFilter(room=RoomFilter(timeline=RoomEventFilter(types=("org.example.never",))))


@pytest.fixture
def queries(world, monkeypatch) -> list[str]:
    """The statements that were sent to the database, from now on."""
    sent: list[str] = []
    database, rows = world.app.ground.storage.database, world.app.ground.storage.database.rows

    def noting(sql, params=()):
        sent.append(sql)
        return rows(sql, params)

    monkeypatch.setattr(database, "rows", noting)
    return sent


def waiting(world: World, who, token: str, **options) -> gevent.Greenlet:
    """A sync that waits."""
    greenlet = gevent.spawn(world.sync, who, token, 10_000, **options)
    gevent.sleep(0.02)
    return greenlet


def bodies(world: World, answer: dict, room) -> list[str]:
    """The texts of a room's timeline."""
    events = world.part(answer, room).get("timeline", {}).get("events", [])
    return [event["content"]["body"] for event in events if "body" in event["content"]]


def test_a_sync_with_nothing_new_asks_no_database(world, queries):
    anna = world.user()
    world.room(anna)
    first = world.sync(anna)
    counts = {key: value for key, value in first.items() if key.startswith("device_")}
    world.sync(anna, first["next_batch"])  # the first one with a token reads, once, where the log has gaps
    queries.clear()
    assert world.sync(anna, first["next_batch"]) == {"next_batch": first["next_batch"], **counts}
    assert queries == []


def test_a_sync_with_messages_of_others_asks_no_database(world, queries):
    anna, ben = world.user(), world.user()
    room = world.room(anna, ben)
    token = world.sync(anna)["next_batch"]
    world.say(room, ben, "warm")
    token = world.sync(anna, token)["next_batch"]
    world.say(room, ben, "hello")
    queries.clear()
    assert bodies(world, world.sync(anna, token), room) == ["hello"]
    assert queries == []


def test_a_waiting_sync_is_woken_at_once(world):
    anna, ben = world.user(), world.user()
    room = world.room(anna, ben)
    waiter = waiting(world, anna, world.sync(anna)["next_batch"])
    started = time.monotonic()
    world.say(room, ben, "now")
    assert bodies(world, waiter.get(timeout=5), room) == ["now"]
    assert time.monotonic() - started < 0.1


def test_events_in_quick_succession_share_a_reply(world, monkeypatch):
    monkeypatch.setattr(notifier_module, "BUSY_SECONDS", 60.0)
    monkeypatch.setattr(world.notifier, "_timer", get_hub().loop.timer(0.5))
    anna, ben = world.user(), world.user()
    room = world.room(anna, ben)
    world.say(room, ben, "busy")
    waiter = waiting(world, anna, world.sync(anna)["next_batch"])
    for number in range(3):
        world.say(room, ben, f"m{number}")
    assert bodies(world, waiter.get(timeout=5), room) == ["m0", "m1", "m2"]


def test_other_rooms_wake_nobody(world):
    anna, ben = world.user(), world.user()
    world.room(anna)
    other = world.room(ben)
    waiter = waiting(world, anna, world.sync(anna)["next_batch"])
    world.say(other, ben, "not for anna")
    gevent.sleep(0.05)
    assert not waiter.ready()
    waiter.kill()


def test_what_was_looked_at_in_vain_while_waiting_is_not_looked_at_again(world):
    anna, ben = world.user(), world.user()
    room = world.room(anna, ben)
    token = world.sync(anna)["next_batch"]
    waiter = waiting(world, anna, token, filter=ANYTHING_ELSE)
    for _ in range(3):
        world.say(room, ben, "filtered")
        gevent.sleep(0.03)
    user = world.notifier.user(anna.user_nid)
    assert not waiter.ready()
    assert [one.is_set() for one in user.waiters] == [False]
    waiter.kill()
    assert user.waiters == []


def test_a_count_of_something_in_memory_wakes_those_in_the_room(world):
    anna, ben, carl = world.user(), world.user(), world.user()
    room = world.room(anna, ben)
    users = [world.notifier.user(one.user_nid) for one in (anna, ben, carl)]
    count = world.notifier.count_in_room(room)
    assert [user.counted for user in users] == [count, count, count - 1]
    assert world.notifier.count_for_user(carl.user_nid) == count + 1
    assert users[2].counted == count + 1


def test_who_is_kicked_hears_no_more_of_the_room(world):
    anna, ben = world.user(), world.user()
    room = world.room(anna, ben)
    token = world.sync(ben)["next_batch"]
    world.send(room, anna, "m.room.member", {"membership": "leave"}, ben.user_id)
    token = world.sync(ben, token)["next_batch"]
    waiter = waiting(world, ben, token)
    world.say(room, anna, "he is gone")
    gevent.sleep(0.05)
    assert not waiter.ready()
    waiter.kill()


def test_trouble_with_the_database_delays_news_and_loses_none(world, monkeypatch):
    monkeypatch.setattr(notifier_module, "RETRY_SECONDS", 0.01)
    anna, ben = world.user(), world.user()
    room = world.room(anna)
    token = world.sync(anna)["next_batch"]
    real, failures = world.notifier._changes.of, iter([True, True])

    def failing(*arguments):
        if next(failures, False):
            raise OSError("the database is away")
        return real(*arguments)

    monkeypatch.setattr(world.notifier._changes, "of", failing)
    world.send(room, ben, "m.room.member", {"membership": "join"}, ben.user_id)
    part = world.part(world.sync(anna, token, 5_000), room)
    assert part["timeline"]["events"][0]["state_key"] == ben.user_id


def test_a_long_answer_lets_others_run(world, monkeypatch):
    monkeypatch.setattr(pausing, "WORK_SECONDS", 0.0)
    anna = world.user()
    for _ in range(5):
        world.room(anna)
    waiter, turns = gevent.spawn(world.sync, anna), 0
    while not waiter.ready():
        gevent.sleep(0.0005)
        turns += 1
    assert turns > 5
    assert len(waiter.value["rooms"]["join"]) == 5
