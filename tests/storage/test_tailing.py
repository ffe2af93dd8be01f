"""Several processes write one log: each tail announces every line once, in order."""

import gevent
import pytest
from gevent.event import Event

from core.storage.database import Database
from core.storage.log import Kind, LogReader
from core.storage.migrations import migrate
from core.storage.migrations.migrating import core_migrations
from core.storage.tailing import PolledTail
from core.storage.transaction import alone
from core.storage.writer import Writer

pytestmark = pytest.mark.mariadb


class Hints:
    """A wake source within one process."""

    def __init__(self):
        self.wakes = []

    def subscribe(self, wake):
        self.wakes.append(wake)

    def publish(self, position):
        for wake in self.wakes:
            wake()


class Worker:
    """What one worker process has: its own pool, tail and writer."""

    def __init__(self, settings, hints=None, poll_seconds=0.05):
        self.database = Database(settings)
        self.log = LogReader(self.database)
        self.tail = PolledTail(self.log, hints, poll_seconds)
        self.heard = []
        self.tail.follow(lambda lines: self.heard.extend((line.position, line.reference) for line in lines))
        self.tail.start()
        self.writer = Writer(self.database, self.tail)
        self.writer.start()

    def send(self, reference):
        return self.writer.submit(lambda transaction: transaction.log(Kind.EVENT, 1, reference)).position

    def close(self):
        self.tail.stop()
        self.writer.close()
        self.database.close()


def migrate_at(settings):
    database = Database(settings)
    migrate(database, core_migrations())
    database.close()


@pytest.fixture
def workers(mariadb, request):
    with mariadb.migrated_schema(migrate_at) as settings:
        workers = [Worker(settings, *getattr(request, "param", ())) for _ in range(3)]
        yield workers
        for worker in workers:
            worker.close()


def test_every_worker_hears_every_line_once_and_in_order(workers):
    senders = [gevent.spawn(worker.send, 10 * number + n) for n in range(10) for number, worker in enumerate(workers)]
    gevent.joinall(senders, raise_error=True)
    for worker in workers:
        assert worker.tail.wait_for(30, 5)
        assert [position for position, _ in worker.heard] == list(range(1, 31))
        assert worker.heard == workers[0].heard


def test_a_line_of_ones_own_is_announced_before_its_sender_goes_on(workers):
    position = workers[0].send(7)
    assert workers[0].heard == [(position, 7)]
    assert workers[0].tail.position == position


def test_a_line_committed_while_the_log_is_read_is_announced_before_its_sender_goes_on(workers, monkeypatch):
    worker, tip, is_reading = workers[0], workers[0].log.tip, Event()

    def slow_tip():
        found = tip()
        is_reading.set()
        gevent.sleep(0.02)  # as a busy database takes, whose answer is already old
        return found

    monkeypatch.setattr(worker.log, "tip", slow_tip)
    is_reading.wait(5)
    assert worker.heard == []
    position = worker.send(7)
    assert worker.heard == [(position, 7)]


@pytest.mark.parametrize("workers", [(Hints(), 60)], indirect=True)
def test_a_hint_is_faster_than_the_next_poll(workers):
    position = workers[0].send(7)
    assert workers[1].tail.wait_for(position, 5)
    assert workers[1].heard == [(position, 7)]


def test_a_gap_left_by_another_opening_is_passed(workers):
    with alone(workers[0].database) as transaction:
        transaction.advance("log", 1_000_000)
    position = workers[1].send(7)
    assert position == 1_000_001
    assert workers[2].tail.wait_for(position, 5)


def test_a_tail_waits_for_a_token_that_is_ahead_only_so_long(workers):
    assert not workers[0].tail.wait_for(99, 0.01)
