"""How syncs wait for counts: as long as the counter takes now and then, and hardly where it has fallen behind."""

from __future__ import annotations

import time

import gevent
import pytest

from core.push import patience
from core.push.patience import LONG_SECONDS, SHORT_SECONDS, Patience
from core.storage.log import Kind, LogReader
from tests.graph.local_room import ANNA, BEN, message
from tests.push.counting import Counting, nid, total


@pytest.fixture
def counting(database, writer, tail, graph):
    """A counter that follows the log on its own."""
    counting = Counting(database, writer, tail, graph)
    counting.counter.start()
    yield counting
    counting.counter.stop()


def test_patience_is_lost_once_and_comes_back_with_who_was_late():
    waiting = Patience()
    assert waiting.seconds == LONG_SECONDS
    waiting.note(was_in_time=False)
    assert waiting.seconds == SHORT_SECONDS
    waiting.note(was_in_time=True)
    assert waiting.seconds == LONG_SECONDS


def test_counts_that_take_a_while_are_waited_for(counting, graph, room, monkeypatch):
    monkeypatch.setattr(patience, "LONG_SECONDS", 60.0)
    with counting.ledger.lock:
        graph.write.send(room, [message(ANNA)])
        end = counting.counter._tail.position
        asking = gevent.spawn(counting.counter.ready, end)
        gevent.sleep(4 * SHORT_SECONDS)
        assert not asking.ready()
    assert asking.get(timeout=20)
    assert total(counting, graph, BEN, room) == (1, 0)


def test_a_counter_that_stands_still_is_waited_for_once(counting, graph, room, monkeypatch):
    monkeypatch.setattr(patience, "LONG_SECONDS", 0.4)
    with counting.ledger.lock:
        graph.write.send(room, [message(ANNA)])
        end, took = counting.counter._tail.position, []
        for _ in range(3):
            before = time.monotonic()
            assert not gevent.spawn(counting.counter.ready, end).get(timeout=20)
            took.append(time.monotonic() - before)
    assert took[0] >= 0.4 > min(took[1:])
    with gevent.Timeout(20):
        while not counting.counter.ready(end):
            pass


def test_what_was_told_too_early_is_told_again_without_another_event(counting, graph, room, database):
    with counting.ledger.lock:
        graph.write.send(room, [message(ANNA)])
        since = counting.counter._tail.position
        counting.counter.owe(nid(graph, BEN), [room])
    log = LogReader(database)
    with gevent.Timeout(20):
        while not log.of_subject(Kind.NOTIFICATION_COUNTS, nid(graph, BEN), since, log.tip(), 10):
            gevent.sleep(0.005)


def test_positions_without_a_line_are_not_waited_for(counting, tail):
    beyond = tail.position + 1_000
    tail.feed([], beyond)
    before = time.monotonic()
    assert counting.counter.ready(beyond)
    assert time.monotonic() - before < LONG_SECONDS
