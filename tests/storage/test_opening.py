"""Opening a database: one owner, the right server, no position given out twice."""

import os
import shutil
import subprocess
import sys

import gevent
import pytest

from core.errors import Unavailable
from core.storage.connections import SqliteSettings
from core.storage.log import Kind
from core.storage.migrations import SchemaError
from core.storage.opening import open_storage
from core.storage.owning import JUMP, DatabaseInUse


@pytest.fixture
def path(tmp_path):
    return tmp_path / "hs.db"


def test_what_was_written_is_there_after_a_restart(database_settings):
    first = open_storage(database_settings, "example.org")
    nid = first.interner.nid("@alice:example.org")
    line = first.writer.submit(lambda transaction: transaction.log(Kind.EVENT, 1, 2))
    assert first.tail.wait_for(line.position, 2)
    first.close()
    second = open_storage(database_settings, "example.org")
    assert second.interner.find("@alice:example.org") == nid
    assert [found.reference for found in second.log.lines(0, second.tail.position)] == [2]
    assert second.fence > first.fence
    second.close()


def test_a_database_belongs_to_one_server_name(database_settings):
    open_storage(database_settings, "example.org").close()
    with pytest.raises(SchemaError, match=r"example\.org.*server_name: other\.org"):
        open_storage(database_settings, "other.org")
    open_storage(database_settings, "example.org").close()


def test_each_opening_leaves_positions_out(database_settings):
    first = open_storage(database_settings, "example.org")
    tip = first.tail.position
    first.close()
    second = open_storage(database_settings, "example.org")
    assert second.tail.position == second.log.tip() > tip
    second.close()


def test_a_clock_that_is_behind_does_not_turn_positions_back(path, monkeypatch):
    first = open_storage(SqliteSettings(path), "example.org")
    tip = first.tail.position
    first.close()
    monkeypatch.setattr("core.storage.owning.time.time", lambda: 1.0)
    second = open_storage(SqliteSettings(path), "example.org")
    assert second.tail.position == tip + JUMP
    assert second.fence == first.fence + 1
    second.close()


def test_a_restored_backup_gives_no_position_out_twice(path):
    storage = open_storage(SqliteSettings(path), "example.org")
    storage.close()
    shutil.copy(path, f"{path}.backup")
    storage = open_storage(SqliteSettings(path), "example.org")
    lost = [storage.writer.submit(lambda tx: tx.log(Kind.EVENT, 1, 1)).position for _ in range(3)]
    fence = storage.fence
    storage.close()
    shutil.copy(f"{path}.backup", path)
    storage = open_storage(SqliteSettings(path), "example.org")
    later = [storage.writer.submit(lambda tx: tx.log(Kind.EVENT, 1, 1)).position for _ in range(2)]
    storage.close()
    assert storage.fence >= fence
    assert all(storage.log.is_of_a_lost_future(position) for position in lost)
    assert not any(storage.log.is_of_a_lost_future(position) for position in later)
    assert set(lost) & set(later) == set()


OPEN = """
import os, sys, time
from pathlib import Path
from core.storage.connections import MysqlSettings, SqliteSettings
from core.storage.opening import open_storage
began = time.monotonic()
settings = {"SqliteSettings": SqliteSettings, "MysqlSettings": MysqlSettings, "PosixPath": Path}
try:
    open_storage(eval(sys.argv[1], settings), "example.org", wait_s=float(sys.argv[2]), master=os.getpid())
finally:
    print(f"{time.monotonic() - began:.1f} s")
"""


def opened_elsewhere(settings, wait_s, **environ):
    """What another process says that opens the database as a server which nobody's reload has started."""
    command = [sys.executable, "-c", OPEN, repr(settings), str(wait_s)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **environ})


def test_a_second_server_on_the_same_database_is_refused_at_once(database_settings):
    storage = open_storage(database_settings, "example.org", master=os.getppid())
    done = opened_elsewhere(database_settings, 30)
    storage.close()
    assert f"DatabaseInUse: Another server (process {os.getpid()}) is using the database" in done.stderr
    assert float(done.stdout.split()[0]) < 5
    assert opened_elsewhere(database_settings, 0).returncode == 0


def test_a_successor_waits_for_its_predecessor(database_settings):
    storage = open_storage(database_settings, "example.org", master=os.getppid())
    done = opened_elsewhere(database_settings, 0.5, GUNICORN_PID=str(os.getppid()))
    storage.close()
    assert "DatabaseInUse" in done.stderr
    assert float(done.stdout.split()[0]) >= 0.5


def test_an_owner_whose_master_has_died_is_waited_for(database_settings):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    storage = open_storage(database_settings, "example.org", master=dead.pid)
    done = opened_elsewhere(database_settings, 0.5)
    storage.close()
    assert float(done.stdout.split()[0]) >= 0.5


@pytest.mark.mariadb
def test_a_quiet_owner_keeps_its_lock(mariadb):
    with mariadb.schema() as settings:
        storage = open_storage(settings, "example.org")
        assert storage.writer.submit(lambda transaction: transaction.value("SELECT @@wait_timeout")) > 30_000_000
        storage.close()


@pytest.mark.mariadb
def test_an_owner_that_was_replaced_while_it_was_cut_off_writes_nothing_more(mariadb):
    with mariadb.schema() as settings:
        first = open_storage(settings, "example.org")
        mariadb.kill_connections_to(settings.database)
        second = open_storage(settings, "example.org", wait_s=5)
        with pytest.raises(Unavailable):
            first.writer.submit(lambda transaction: transaction.log(Kind.EVENT, 1, 2))
        second.writer.submit(lambda transaction: transaction.log(Kind.EVENT, 1, 3))
        second.close()
        first.close()


def test_the_next_owner_waits_for_the_last_one_to_close(path):
    first = open_storage(SqliteSettings(path), "example.org")
    opening = gevent.spawn(open_storage, SqliteSettings(path), "example.org", 5)
    gevent.sleep(0.03)
    assert not opening.ready()
    first.close()
    opening.get(timeout=5).close()


def test_a_refused_opening_frees_the_file(path):
    open_storage(SqliteSettings(path), "example.org").close()
    with pytest.raises(SchemaError):
        open_storage(SqliteSettings(path), "other.org")
    open_storage(SqliteSettings(path), "example.org", wait_s=0).close()
    first = open_storage(SqliteSettings(path), "example.org", wait_s=0)
    with pytest.raises(DatabaseInUse):
        open_storage(SqliteSettings(path), "example.org", wait_s=0)
    first.close()
