"""The writer when things go wrong: nothing is announced that is not durable, and it recovers."""

import operator
import sqlite3

import gevent
import pytest

from core.errors import Unavailable
from core.storage import writer as writer_module
from core.storage.connections import SqliteSettings
from core.storage.database import Database
from core.storage.log import Kind, LogTail
from core.storage.migrations import migrate
from core.storage.migrations.migrating import core_migrations
from core.storage.writer import Writer

ADD_FACT = "INSERT INTO facts (name, value) VALUES (?, ?)"


def fact(name):
    return lambda transaction: transaction.add(ADD_FACT, (name, "1"))


def names(database):
    return [name for (name,) in database.rows("SELECT name FROM facts ORDER BY name")]


def together(writer, *jobs):
    """Submit in one turn of the loop; each job's value or exception."""
    greenlets = [gevent.spawn(writer.submit, job, number) for number, job in enumerate(jobs)]
    gevent.joinall(greenlets)
    return [greenlet.exception or greenlet.value for greenlet in greenlets]


def test_jobs_of_one_turn_are_committed_together(writer):
    together(writer, *[fact(str(n)) for n in range(16)])
    assert (writer.figures.groups, writer.figures.jobs) == (1, 16)


def test_those_just_answered_join_the_next_group(writer):
    def send(name):
        for n in range(5):
            writer.submit(fact(f"{name}.{n}"))

    gevent.joinall([gevent.spawn(send, name) for name in range(16)], raise_error=True)
    assert writer.figures.jobs == 80
    assert writer.figures.groups <= 6


def test_rows_refused_when_they_are_sent_fail_only_their_own_job(database, writer):
    writer.submit(fact("taken"))
    good, bad, late = together(writer, fact("a"), fact("taken"), fact("b"))
    assert (good, late) == (None, None)
    assert "taken" in str(bad) or "UNIQUE" in str(bad)
    assert names(database) == ["a", "b", "taken"]


def test_a_job_is_not_blamed_for_rows_another_queued(database, writer):
    writer.submit(fact("taken"))
    bad, reader = together(writer, fact("taken"), lambda transaction: transaction.value("SELECT COUNT(*) FROM facts"))
    assert isinstance(bad, Exception)
    assert reader == 1


def test_a_job_that_hides_the_refusal_of_its_rows_fails_all_the_same(database, writer):
    def hiding(transaction):
        transaction.add(ADD_FACT, ("taken", "2"))
        try:
            transaction.rows("SELECT 1")
        except Exception:
            return "fine"

    writer.submit(fact("taken"))
    assert isinstance(together(writer, hiding)[0], Exception)
    assert names(database) == ["taken"]


def test_a_replay_starts_with_an_empty_overlay(writer):
    seen = []

    def first(transaction):
        seen.append(transaction.overlay.get("count", 0))
        transaction.remember("count", 1)

    def failing(transaction):
        transaction.remember("count", 2)
        raise ValueError("no")

    together(writer, first, failing, lambda transaction: seen.append(transaction.overlay["count"]))
    assert seen == [0, 0, 1]


def test_the_overlay_is_changed_through_remember_only(writer):
    with pytest.raises(TypeError):
        writer.submit(lambda transaction: operator.setitem(transaction.overlay, "a", 1))


def test_a_failed_job_leaves_no_callback(writer):
    called = []

    def failing(transaction):
        transaction.after_commit(lambda: called.append("failed"))
        raise ValueError("no")

    together(writer, failing, lambda transaction: transaction.after_commit(lambda: called.append("good")))
    assert called == ["good"]


def test_callbacks_and_followers_that_raise_do_not_stop_the_writer(database, writer, tail, caplog):
    def broken(*_):
        raise ValueError("broken callback")

    def job(transaction):
        transaction.log(Kind.EVENT, 1, 1)
        transaction.after_commit(broken)

    tail.follow(broken)
    writer.submit(job)
    writer.submit(fact("a"))
    assert names(database) == ["a"]
    assert writer.figures.failed_callbacks == 1
    assert len(caplog.records) == 2


def test_a_job_that_submits_is_told_so(writer):
    with pytest.raises(RuntimeError, match="wait for itself"):
        writer.submit(lambda transaction: writer.submit(fact("a")))


def test_too_many_waiting_jobs_are_refused(writer, monkeypatch):
    monkeypatch.setattr(writer_module, "WAITING_JOBS", 3)
    outcomes = together(writer, *[fact(str(n)) for n in range(5)])
    assert outcomes[:3] == [None] * 3
    assert [type(outcome) for outcome in outcomes[3:]] == [Unavailable, Unavailable]
    assert writer.figures.refused_jobs == 2


def test_a_group_ends_at_its_deadline_and_the_rest_follows(database, writer, monkeypatch):
    monkeypatch.setattr(writer_module, "GROUP_SECONDS", 0.0)
    together(writer, *[fact(str(n)) for n in range(4)])
    assert names(database) == ["0", "1", "2", "3"]
    assert writer.figures.groups == 4


def test_a_killed_caller_takes_its_job_back(database, writer):
    waiting = gevent.spawn(writer.submit, fact("a"))
    gevent.sleep(0)
    assert writer.waiting == 1
    waiting.kill()
    writer.submit(fact("b"))
    assert names(database) == ["b"]


def test_closing_applies_what_waits_and_refuses_what_comes(database, tail):
    writer = Writer(database, tail)
    writer.start()
    waiting = gevent.spawn(writer.submit, fact("a"))
    gevent.sleep(0)
    writer.close()
    assert waiting.get() is None
    with pytest.raises(Unavailable, match="stopping"):
        writer.submit(fact("b"))


def test_a_full_disk_refuses_and_recovers(tmp_path, caplog):
    database = Database(SqliteSettings(tmp_path / "hs.db"))
    migrate(database, core_migrations())
    writer, tail, heard = Writer(database, LogTail(0)), LogTail(0), []
    tail.follow(heard.extend)
    writer.start()
    pages = writer._connection.execute("PRAGMA page_count").fetchone()[0]
    writer._connection.execute(f"PRAGMA max_page_count = {pages}")
    big = [lambda tx, n=n: tx.add_all(ADD_FACT, [(f"{n}.{i}", "x" * 900) for i in range(20)]) for n in range(3)]
    outcomes = together(writer, *big)
    assert [type(outcome) for outcome in outcomes] == [Unavailable] * 3
    assert together(writer, big[0])[0].status == 503
    assert "disk is full" in str(outcomes[0])
    assert len(caplog.records) == 1
    assert (names(database), heard) == ([], [])
    writer._connection.execute("PRAGMA max_page_count = 100000")
    assert together(writer, *big) == [None] * 3
    assert len(names(database)) == 60
    writer.close()
    database.close()


def test_another_process_holding_the_file_is_waited_for(tmp_path):
    database = Database(SqliteSettings(tmp_path / "hs.db"))
    migrate(database, core_migrations())
    writer = Writer(database, LogTail(0))
    writer.start()
    other = sqlite3.connect(tmp_path / "hs.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    waiting = gevent.spawn(writer.submit, fact("a"))
    assert waiting.join(0.1) is None
    assert not waiting.ready()
    other.execute("ROLLBACK")
    other.close()
    waiting.get(timeout=5)
    writer.close()
    database.close()
