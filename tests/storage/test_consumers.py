"""Durable consumers: every line at least once, what they write exactly once, from where they stood."""

import pytest

from core.ids import Position
from core.storage import consumers as consumers_module
from core.storage.compaction import LogKeeper
from core.storage.consumers import ConsumerRunner
from core.storage.cursors import CursorStore
from core.storage.late_notes import LateNotes
from core.storage.log import Kind, LogReader

ADD_FACT = "INSERT INTO facts (name, value) VALUES (?, ?)"


class Recorder:
    """Writes a fact for each event, so that a line handled twice would be refused."""

    kinds = (Kind.EVENT, Kind.STATE_DELTA)

    def __init__(self, name="recorder", failures=0):
        self.name = name
        self.batches, self.failures, self.resynchronised = [], failures, []

    def handle(self, lines):
        self.batches.append([line.reference for line in lines])
        if self.failures:
            self.failures -= 1
            raise ValueError("not now")
        return lambda transaction: [transaction.run(ADD_FACT, (str(line.reference), "x")) for line in lines]

    def resynchronise(self, upto):
        self.resynchronised.append(upto)


@pytest.fixture
def notes(writer):
    return LateNotes(writer)


@pytest.fixture
def run(database, writer, tail, notes):
    running = []

    def start(consumer, fence=1, **options):
        parts = LogReader(database), LogKeeper(database), tail, writer, CursorStore(database), notes
        runner = ConsumerRunner(consumer, *parts, fence, **options)
        runner.start()
        running.append(runner)
        return runner

    yield start
    for runner in running:
        runner.stop()


def send(writer, *references, kind=Kind.EVENT):
    def job(transaction):
        return [transaction.log(kind, 1, reference) for reference in references]

    return writer.submit(job)[-1].position


def test_lines_of_no_interest_are_passed_without_a_look_at_the_log(writer, run, monkeypatch):
    runner = run(Recorder())
    assert runner.wait_for(send(writer, 1), 5)
    looks = []
    monkeypatch.setattr(LogReader, "lines", lambda *arguments: looks.append(arguments))
    assert runner.wait_for(send(writer, 2, kind=Kind.BACKFILL), 5)
    assert (looks, runner.failures, runner.consumer.batches) == ([], 0, [[1]])


def test_a_consumer_is_handed_the_kinds_it_wants(writer, run):
    runner = run(Recorder())
    send(writer, 1, 2)
    send(writer, 3, kind=Kind.BACKFILL)
    assert runner.wait_for(send(writer, 4), 2)
    assert [n for batch in runner.consumer.batches for n in batch] == [1, 2, 4]


def test_it_resumes_where_it_stood(database, writer, run):
    first = run(Recorder())
    assert first.wait_for(send(writer, 1), 2)
    first.stop()
    send(writer, 2, 3)
    second = run(Recorder(), fence=2)
    assert second.wait_for(Position(3), 2)
    assert second.consumer.batches == [[2, 3]]


def test_long_backlogs_come_in_batches(writer, run):
    last = send(writer, *range(10))
    runner = run(Recorder(), lines_per_batch=4)
    assert runner.wait_for(last, 2)
    assert [len(batch) for batch in runner.consumer.batches] == [4, 4, 2]


def test_a_failing_consumer_is_tried_again_and_skips_nothing(database, writer, run, monkeypatch, caplog):
    monkeypatch.setattr(consumers_module, "FIRST_RETRY_SECONDS", 0.01)
    runner = run(Recorder(failures=2))
    assert runner.wait_for(send(writer, 1), 2)
    assert runner.failures == 2
    assert database.rows("SELECT name FROM facts") == [("1",)]
    assert len(caplog.records) == 2


def test_a_new_consumer_may_begin_at_the_end(writer, run):
    send(writer, 1)
    runner = run(Recorder(), from_the_beginning=False)
    assert runner.wait_for(send(writer, 2), 2)
    assert runner.consumer.batches == [[2]]


def test_a_consumer_whose_lease_was_lost_stops(database, writer, run):
    cursors = CursorStore(database)
    runner = run(Recorder())
    writer.submit(lambda tx: cursors.move(tx, "recorder", 0, fence=9))
    send(writer, 1)
    runner._greenlet.join(2)
    assert runner._greenlet.ready()
    assert database.rows("SELECT name FROM facts") == []


def test_a_consumer_below_the_horizon_derives_its_data_afresh(database, writer, run):
    keeper = LogKeeper(database)
    first = run(Recorder())
    assert first.wait_for(send(writer, 1), 2)
    first.stop()
    send(writer, 50, kind=Kind.STATE_DELTA)
    assert writer.submit(lambda tx: keeper.drop(tx, Kind.STATE_DELTA, [50])) == 1
    second = run(Recorder(), fence=2)
    assert second.wait_for(2, 2)
    assert second.wait_for(send(writer, 2), 2)
    assert second.consumer.resynchronised == [2]
    assert second.consumer.batches == [[2]]


class Passer(Recorder):
    """Has nothing to write."""

    def handle(self, lines):
        self.batches.append([line.reference for line in lines])


def test_cursors_of_those_who_wrote_nothing_go_on_record_together(database, writer, tail, run, notes):
    recorder, passer = run(Recorder()), run(Passer("passer"))
    last = send(writer, 1)
    assert recorder.wait_for(last, 2)
    assert passer.wait_for(last, 2)
    groups = writer.figures.groups
    last = send(writer, 2, kind=Kind.BACKFILL)
    assert passer.wait_for(last, 2)
    assert CursorStore(database).positions() == {"recorder": 1, "passer": 0}
    notes.write()
    assert CursorStore(database).positions() == {"recorder": last, "passer": last}
    assert writer.figures.groups == groups + 2


def test_a_note_that_comes_late_does_not_move_a_cursor_back(database, writer, run):
    runner = run(Recorder())
    assert runner.wait_for(send(writer, 1), 2)
    send(writer, 2, kind=Kind.BACKFILL)
    note = runner._unnoted()
    assert runner.wait_for(send(writer, 3), 2)
    writer.submit(note)
    assert CursorStore(database).find("recorder") == 3
    assert runner.wait_for(send(writer, 4), 2)


def test_a_consumer_that_writes_nothing_notices_a_later_owner(database, writer, run, notes):
    runner = run(Passer("passer"))
    assert runner.wait_for(send(writer, 1), 2)
    writer.submit(lambda tx: CursorStore(database).move(tx, "passer", 0, fence=9))
    notes.write()
    runner._greenlet.join(2)
    assert runner._greenlet.ready()
    assert CursorStore(database).find("passer") == 0
