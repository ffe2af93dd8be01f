"""The writer: what was acknowledged is there, what failed leaves nothing, positions are commit order."""

import socket

import gevent
import pytest

from core.storage.connections import SqliteSettings
from core.storage.database import Database
from core.storage.interning import Interner
from core.storage.log import Kind, LogReader, LogTail
from core.storage.migrations import migrate
from core.storage.migrations.migrating import core_migrations
from core.storage.writer import Writer


def test_lines_get_positions_in_commit_order(database, writer, tail):
    heard = []
    tail.follow(heard.extend)
    jobs = [gevent.spawn(writer.submit, lambda tx, n=n: tx.log(Kind.EVENT, 1, n), n) for n in range(10)]
    gevent.joinall(jobs)
    lines = LogReader(database).lines(0, 100)
    assert [line.reference for line in lines] == list(range(10))
    assert [line.position for line in heard] == list(range(1, 11))


def test_a_job_that_fails_after_writing_leaves_the_others(database, writer):
    def bad(tx):
        tx.log(Kind.EVENT, 1, 99)
        raise ValueError("no")

    good = gevent.spawn(writer.submit, lambda tx: tx.log(Kind.EVENT, 1, 1))
    failing = gevent.spawn(writer.submit, bad)
    gevent.joinall([good, failing])
    assert isinstance(failing.exception, ValueError)
    assert [line.reference for line in LogReader(database).lines(0, 100)] == [1]


def test_only_the_newest_line_of_a_key_is_kept(database, writer):
    for _ in range(3):
        writer.submit(lambda tx: tx.log(Kind.RECEIPT, 5, 7, replaces=True))
    assert [(line.position, line.reference) for line in LogReader(database).lines(0, 100)] == [(3, 7)]


def test_strings_keep_their_number(database, writer):
    texts = ["a", "A", "a ", "", "\0", "é", "😀", "x" * 255]
    nids = Interner(database, writer).nids(texts)
    assert len(set(nids.values())) == len(texts)
    assert Interner(database, writer).known(texts) == nids
    assert Interner(database, writer).texts(list(nids.values())) == {n: t for t, n in nids.items()}


def test_callers_that_need_the_same_new_string_get_one_number(database, writer):
    interner = Interner(database, writer)
    asking = [gevent.spawn(interner.nids, ["new", str(n)]) for n in range(10)]
    gevent.joinall(asking, raise_error=True)
    assert len({caller.value["new"] for caller in asking}) == 1
    assert database.value("SELECT COUNT(*) FROM texts") == 11


def test_many_strings_are_numbered_at_once(database, writer):
    texts = [f"@user{n}:example.org" for n in range(1100)]
    nids = Interner(database, writer).nids(texts)
    assert sorted(nids.values()) == list(range(1, 1101))
    assert Interner(database, writer).nids(texts) == nids


def test_a_writer_with_much_to_do_lets_the_sockets_be_served(tmp_path):
    database = Database(SqliteSettings(tmp_path / "hs.db"))
    migrate(database, core_migrations())
    writer = Writer(database, LogTail(0))
    writer.start()
    rows = [(f"{n}", "x" * 50) for n in range(2000)]

    def heavy(transaction):
        transaction.add_all("INSERT INTO facts (name, value) VALUES (?, ?)", rows)
        transaction.add("DELETE FROM facts WHERE value <> ?", ("",))

    bulk = gevent.spawn(lambda: [writer.submit(heavy) for _ in range(30)])
    ours, theirs = socket.socketpair()
    with ours, theirs:
        echo = gevent.spawn(lambda: [theirs.sendall(theirs.recv(1)) for _ in range(8)])
        for _ in range(8):
            ours.sendall(b"x")
            ours.recv(1)
        assert not bulk.ready()
        echo.join()
    bulk.get()
    writer.close()
    database.close()


def test_a_string_may_be_numbered_with_what_needs_it(database, writer):
    interner = Interner(database, writer)
    with pytest.raises(ZeroDivisionError):
        writer.submit(lambda transaction: interner.nid_in(transaction, "lost") / 0)
    nid = writer.submit(lambda transaction: interner.nid_in(transaction, "kept"))
    assert writer.submit(lambda transaction: interner.nid_in(transaction, "kept")) == nid
    assert interner.find("kept") == nid
    assert interner.find("lost") is None
