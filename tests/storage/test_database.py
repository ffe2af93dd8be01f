"""Reading: bounded, never leaked, and again after the connection was lost."""

import gevent
import pytest
from peewee import ForeignKeyField

from core.errors import Unavailable
from core.storage.connections import MysqlReaders, MysqlSettings, SqliteSettings
from core.storage.database import Database
from core.storage.migrations import create_tables
from core.storage.tables import BigIntegerField, Table
from core.storage.transaction import alone


class Parent(Table):
    nid = BigIntegerField(primary_key=True)

    class Meta:
        table_name = "parents"


class Child(Table):
    nid = BigIntegerField(primary_key=True)
    parent = ForeignKeyField(Parent, column_name="parent_nid", on_delete="CASCADE")

    class Meta:
        table_name = "children"


@pytest.fixture
def mysql(mariadb):
    with mariadb.schema(pool_size=20) as settings:
        database = Database(settings)
        yield database
        database.close()


def test_a_row_without_its_parent_is_refused_and_goes_with_it(database):
    with alone(database) as transaction:
        create_tables(Parent, Child)(transaction)
        transaction.run("INSERT INTO parents (nid) VALUES (?)", (1,))
        transaction.run("INSERT INTO children (nid, parent_nid) VALUES (?, ?)", (10, 1))
    with pytest.raises(Exception, match=r"(?i)foreign key"), alone(database) as transaction:
        transaction.run("INSERT INTO children (nid, parent_nid) VALUES (?, ?)", (11, 2))
    with alone(database) as transaction:
        transaction.run("DELETE FROM parents WHERE nid = ?", (1,))
    assert database.rows("SELECT nid FROM children") == []


def test_readers_see_what_is_committed_and_nothing_else(database, writer):
    seen = []

    def job(transaction):
        transaction.run("INSERT INTO facts (name, value) VALUES (?, ?)", ("a", "1"))
        seen.append(database.rows("SELECT name FROM facts"))

    with database.reading():
        assert database.rows("SELECT name FROM facts") == []
        writer.submit(job)
        assert database.rows("SELECT name FROM facts") == [("a",)]
    assert seen == [[]]


@pytest.mark.mariadb
def test_thirty_greenlets_share_a_pool_of_twenty(mysql):
    jobs = [gevent.spawn(mysql.value, "SELECT SLEEP(0.02)") for _ in range(30)]
    gevent.joinall(jobs, raise_error=True)
    assert mysql.value("SELECT COUNT(*) FROM information_schema.processlist WHERE db = DATABASE()") <= 20


@pytest.mark.mariadb
def test_killed_greenlets_leave_no_connection_taken(mysql):
    for _ in range(3):
        jobs = [gevent.spawn(mysql.value, "SELECT SLEEP(5)") for _ in range(30)]
        gevent.sleep(0.05)
        gevent.killall(jobs)
    jobs = [gevent.spawn(mysql.value, "SELECT 1") for _ in range(30)]
    gevent.joinall(jobs, raise_error=True, timeout=5)
    assert [job.value for job in jobs] == [1] * 30


@pytest.mark.mariadb
def test_a_greenlet_keeps_its_connection_while_it_is_reading(mysql):
    with mysql.reading():
        first = mysql.value("SELECT CONNECTION_ID()")
        other = gevent.spawn(mysql.value, "SELECT CONNECTION_ID()").get()
        with mysql.reading():
            assert mysql.value("SELECT CONNECTION_ID()") == first != other
    assert mysql.value("SELECT CONNECTION_ID()") in {first, other}


@pytest.mark.mariadb
def test_reading_goes_on_after_every_connection_was_cut(mysql, mariadb):
    gevent.joinall([gevent.spawn(mysql.value, "SELECT SLEEP(0.01)") for _ in range(5)], raise_error=True)
    assert mariadb.kill_connections_to(mysql.settings.database) == 5
    assert mysql.value("SELECT 1") == 1
    with mysql.reading():
        mariadb.kill_connections_to(mysql.settings.database)
        assert mysql.value("SELECT 1") == 1
        assert mysql.value("SELECT 1") == 1


@pytest.mark.mariadb
def test_a_wrong_statement_keeps_the_connection(mysql):
    first = mysql.value("SELECT CONNECTION_ID()")
    with pytest.raises(Exception, match="nowhere"):
        mysql.rows("SELECT * FROM nowhere")
    assert mysql.value("SELECT CONNECTION_ID()") == first


@pytest.mark.mariadb
def test_a_full_pool_refuses_in_the_end(mysql, monkeypatch):
    monkeypatch.setattr("core.storage.connections.POOL_WAIT_SECONDS", 0.01)
    readers = MysqlReaders(MysqlSettings("x", "root", unix_socket=mysql.settings.unix_socket, pool_size=1))
    readers._free.acquire()
    with pytest.raises(Unavailable, match="All 1 database connections are in use"):
        readers.take()


def test_a_server_that_is_not_there_is_unavailable(tmp_path):
    database = Database(MysqlSettings("x", "x", unix_socket=str(tmp_path / "nobody")))
    with pytest.raises(Unavailable, match="cannot be reached"):
        database.rows("SELECT 1")


def test_the_reading_connection_of_sqlite_cannot_write(tmp_path):
    database = Database(SqliteSettings(tmp_path / "hs.db"))
    with pytest.raises(Unavailable):
        database.rows("CREATE TABLE x (y)")
    database.close()
