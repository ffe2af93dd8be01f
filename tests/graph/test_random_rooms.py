"""Random rooms of several servers, recorded as they fork and meet, and replayed in random order and batches."""

from random import Random

import pytest

from core.errors import AuthRuleViolation
from core.events.room_versions import V1, V6, V10, V12
from core.graph.appending.admission import Admission
from core.graph.stored_event import Place, Verdict
from tests.graph.replay import ALICE, BOB, CAROL, DAVE, Recorder, Replayer

USERS = (ALICE, BOB, CAROL, DAVE)


def record_room(version, random, steps=28):
    """A room in which events build on any of what is there, and a few are not allowed at their place."""
    record = Recorder(version)
    events = record.start(BOB, CAROL, DAVE)
    root = len(events) - 1
    for _ in range(steps):
        recent = events[max(root, len(events) - 8) :]
        prevs = random.sample(recent, min(len(recent), random.choice((1, 1, 1, 2, 3))))
        sender = random.choice(USERS)
        try:
            event = draw_event(record, random, sender, prevs)
        except AuthRuleViolation:
            continue
        if record.all.is_rejected(event.event_id) and random.random() < 0.7:
            del record.all.known[event.event_id]
            continue
        events.append(event)
    return record, events


def draw_event(record, random, sender, prevs):
    kind = random.randrange(7)
    if kind == 0:
        return record.member(sender, prevs, random.choice(("ban", "leave", "invite")), random.choice(USERS))
    if kind == 1:
        return record.member(sender, prevs)
    if kind == 2:
        levels = {user[1:].partition(":")[0]: random.choice((0, 50, 100)) for user in random.sample(USERS, 2)}
        if record.version.privileged_creators:
            levels.pop("alice", None)
        return record.levels(sender, prevs, **levels)
    if kind == 3:
        rule = random.choice(("public", "invite"))
        return record.event("m.room.join_rules", sender, {"join_rule": rule}, prevs, "")
    if kind == 4:
        return record.message(sender, prevs, str(random.random()))
    return record.name(sender, prevs, str(random.random()))


def any_order(events, random):
    """The events in an order in which each comes after its prev events."""
    waiting, done, given = list(events), set(), []
    while waiting:
        ready = [one for one in waiting if done.issuperset(one.prev_event_ids)]
        event = random.choice(ready[:4])
        waiting.remove(event)
        done.add(event.event_id)
        given.append(event)
    return given


@pytest.mark.parametrize("version", [V1, V6, V10, V12], ids=lambda version: version.id)
@pytest.mark.parametrize("seed", range(5))
def test_a_random_room_event_by_event(replay, version, seed):
    random = Random(seed)
    record, events = record_room(version, random)
    replayer = replay(record)
    for event in any_order(events, random):
        replayer.feed(event)
    replayer.compare_cold()


def test_a_random_room_with_caches_that_hold_next_to_nothing(open_graph):
    random = Random(3)
    record, events = record_room(V10, random)

    def forgetful():
        return open_graph(event_cache_bytes=0, state_cache_bytes=0, tip_cache_bytes=0)

    replayer = Replayer(forgetful(), V10, record.room_id, forgetful)
    for event in any_order(events, random):
        replayer.feed(event)
    replayer.compare_cold()


@pytest.mark.parametrize("seed", range(8))
def test_a_random_room_in_batches(replay, seed):
    random = Random(seed)
    record, events = record_room(V10, random, steps=40)
    replayer = replay(record)
    ordered = any_order(events, random)
    while ordered:
        size = random.randint(1, 9)
        batch, ordered = ordered[:size], ordered[size:]
        rejected = [Verdict.REJECTED if record.all.is_rejected(one.event_id) else Verdict.ACCEPTED for one in batch]
        replayer.step([Admission(one, Place.LIVE, verdict) for one, verdict in zip(batch, rejected, strict=True)])
    replayer.compare_cold()


@pytest.mark.parametrize("version", [V6, V10, V12], ids=lambda version: version.id)
@pytest.mark.parametrize("seed", range(6))
def test_a_random_room_with_gaps_that_are_filled_late(replay, version, seed):
    random = Random(seed)
    record, events = record_room(version, random, steps=30)
    replayer = replay(record)
    ordered = any_order(events, random)
    start, withheld = 8, []
    for number, event in enumerate(ordered):
        if number > start and random.random() < 0.25:
            replayer.feed(event, place=Place.OUTLIER)
            withheld.append(event)
            continue
        feed_with_state(replayer, record, event)
        if withheld and random.random() < 0.3:
            feed_with_state(replayer, record, withheld.pop(random.randrange(len(withheld))))
    replayer.compare_cold()


def feed_with_state(replayer, record, event):
    """Feed an event, with the state before it where prev events have no place."""
    has_gap = not all(map(replayer.has_place, event.prev_event_ids))
    replayer.feed(event, state=record.state_before(event) if has_gap else None)
