"""MariaDB's connection breaks under the writer, at every point where that makes a difference."""

import gevent
import pymysql
import pytest

from core.errors import Unavailable
from core.storage import writer as writer_module
from core.storage.database import Database
from core.storage.log import Kind, LogTail
from core.storage.migrations import migrate
from core.storage.migrations.migrating import core_migrations
from core.storage.writer import Writer

pytestmark = pytest.mark.mariadb
ADD_FACT = "INSERT INTO facts (name, value) VALUES (?, ?)"


class Cut:
    """A connection whose COMMIT gets no answer, though it may have arrived."""

    def __init__(self, connection, arrives):
        self._connection, self._arrives = connection, arrives

    def cursor(self):
        cursor = self._connection.cursor()
        real = cursor.execute

        def execute(sql, *params):
            if sql != "COMMIT":
                return real(sql, *params)
            if self._arrives:
                real(sql)
            self._connection._force_close()
            raise pymysql.err.OperationalError(2013, "Lost connection during query")

        cursor.execute = execute
        return cursor

    def close(self):
        self._connection._force_close()


@pytest.fixture
def database(mariadb):
    with mariadb.migrated_schema(migrate_at) as settings:
        database = Database(settings)
        yield database
        database.close()


@pytest.fixture
def settings(database):
    return database.settings


def migrate_at(settings):
    database = Database(settings)
    migrate(database, core_migrations())
    database.close()


@pytest.fixture
def writer(database):
    writer = Writer(database, LogTail(0))
    writer.start()
    yield writer
    writer.close()


def add(name, calls=None):
    def job(transaction):
        transaction.run(ADD_FACT, (name, "1"))
        if calls is not None:
            calls.append(name)
        return name

    return job


@pytest.mark.parametrize(("arrives", "times"), [(True, 1), (False, 2)])
def test_a_commit_without_an_answer_is_looked_up_not_repeated(database, writer, arrives, times):
    calls = []
    writer._connection = Cut(writer._connection, arrives)
    assert writer.submit(add("a", calls)) == "a"
    assert calls == ["a"] * times
    assert database.value("SELECT COUNT(*) FROM facts") == 1
    assert writer.figures.looked_up == 1


def test_a_connection_cut_between_groups_is_replaced(database, writer, settings, mariadb):
    writer.submit(add("a"))
    mariadb.kill_connections_to(settings.database)
    assert writer.submit(add("b")) == "b"
    assert database.value("SELECT COUNT(*) FROM facts") == 2


def test_a_connection_cut_within_a_group_has_it_applied_again(database, writer, settings, mariadb):
    calls = []

    def cutting(transaction):
        add("a", calls)(transaction)
        if len(calls) == 1:
            mariadb.kill_connections_to(settings.database)

    writer.submit(cutting)
    assert calls == ["a", "a"]
    assert database.value("SELECT COUNT(*) FROM facts") == 1


def test_a_server_that_stays_away_is_unavailable_and_then_served_again(
    database, writer, settings, mariadb, monkeypatch
):
    monkeypatch.setattr(writer_module, "RECONNECT_SECONDS", 0.05)
    monkeypatch.setattr(database, "settings", None)
    broken = pymysql.err.OperationalError(2003, "Can't connect")
    real = database.open_writing
    monkeypatch.setattr(database, "open_writing", lambda: (_ for _ in ()).throw(broken))
    mariadb.kill_connections_to(settings.database)
    with pytest.raises(Unavailable, match="cannot be reached"):
        writer.submit(add("a"))
    monkeypatch.setattr(database, "settings", settings)
    monkeypatch.setattr(database, "open_writing", real)
    assert writer.submit(add("b")) == "b"


def test_an_unknown_outcome_is_resolved_even_after_its_callers_were_told(database, writer, monkeypatch):
    monkeypatch.setattr(writer_module, "RECONNECT_SECONDS", 0.05)
    real, called = database.open_writing, []
    monkeypatch.setattr(database, "open_writing", lambda: (_ for _ in ()).throw(pymysql.err.OperationalError(2003, "")))
    writer._connection = Cut(writer._connection, arrives=True)

    def job(transaction):
        add("a")(transaction)
        transaction.after_commit(lambda: called.append("a"))

    with pytest.raises(Unavailable):
        writer.submit(job)
    assert called == []
    monkeypatch.setattr(database, "open_writing", real)
    assert writer.submit(add("b")) == "b"
    assert called == ["a"]


def test_two_writers_that_deadlock_both_finish(database):
    writers = [Writer(database, LogTail(0)) for _ in range(2)]
    for writer in writers:
        writer.start()
        writer.submit(lambda transaction: transaction.run("INSERT INTO facts (name, value) VALUES (UUID(), 'x')"))
    first, second = [row[0] for row in database.rows("SELECT name FROM facts")]

    def crossing(one, other):
        def job(transaction):
            transaction.run("UPDATE facts SET value = ? WHERE name = ?", ("y", one))
            gevent.sleep(0.05)  # lets the other writer take its first row: this is what makes the deadlock
            transaction.run("UPDATE facts SET value = ? WHERE name = ?", ("y", other))

        return job

    jobs = [
        gevent.spawn(w.submit, crossing(*rows))
        for w, rows in zip(writers, [(first, second), (second, first)], strict=True)
    ]
    gevent.joinall(jobs, raise_error=True, timeout=10)
    assert sum(writer.figures.conflicts for writer in writers) == 1
    for writer in writers:
        writer.close()


def test_writers_number_their_lines_in_the_order_in_which_they_commit(database, log):
    writers = [Writer(database, LogTail(0)) for _ in range(3)]
    for writer in writers:
        writer.start()
    lines = []

    def send(writer, subject):
        for n in range(10):
            lines.append(writer.submit(lambda transaction, n=n: transaction.log(Kind.EVENT, subject, n)))

    gevent.joinall([gevent.spawn(send, w, s) for s, w in enumerate(writers) for _ in range(2)], raise_error=True)
    assert sorted(line.position for line in lines) == list(range(1, 61))
    assert len(log.lines(0, 100)) == 60
    for writer in writers:
        writer.close()
