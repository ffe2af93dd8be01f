"""The writer: what was acknowledged is there, what failed leaves nothing, positions are commit order."""

import gevent

from core.storage.interning import Interner
from core.storage.log import Kind, LogReader


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
