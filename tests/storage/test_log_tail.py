"""The tail of the log: who is told of which lines, and what of them is kept in memory."""

from __future__ import annotations

import pytest

from core.storage import log as log_module
from core.storage.log import Kind, Line, LogTail


class Reader:
    """Stands for the log in the database: says that it was asked."""

    def lines(self, since, upto, kinds, limit):
        return ["from the database"]


def lines(*entries):
    """Lines from (kind, position)."""
    return [Line(kind, 1, position, False, position) for kind, position in entries]


@pytest.fixture
def tail():
    return LogTail(10)


def test_a_follower_is_told_of_batches_with_lines_of_its_kinds_and_of_how_far_the_others_go(tail):
    told, passed = [], []
    tail.follow(told.append, (Kind.EVENT,), lambda since, upto: passed.append((since, upto)))
    first, second, third = (
        lines((Kind.RECEIPT, 11)),
        lines((Kind.RECEIPT, 12), (Kind.EVENT, 13)),
        lines((Kind.ALIAS, 14)),
    )
    for batch in (first, second, third):
        tail.feed(batch, batch[-1].position)
    assert (told, passed) == ([second], [(10, 11), (13, 14)])


def test_a_follower_of_no_kinds_is_told_of_everything_until_it_follows_no_longer(tail):
    told = []
    tail.follow(told.append)
    tail.feed(lines((Kind.ALIAS, 11)), 11)
    tail.unfollow(told.append)
    tail.feed(lines((Kind.ALIAS, 12)), 12)
    assert [batch[0].position for batch in told] == [11]


def test_a_follower_that_raises_keeps_nothing_from_the_others(tail):
    told = []
    tail.follow(lambda batch: 1 / 0)
    tail.follow(told.append, (Kind.ALIAS,))
    tail.feed(lines((Kind.ALIAS, 11)), 11)
    assert (len(told), tail.position) == (1, 11)


def test_new_lines_are_read_from_memory_by_kind_and_place(tail):
    tail.feed(lines((Kind.EVENT, 11), (Kind.ALIAS, 12), (Kind.EVENT, 13), (Kind.EVENT, 15)), 15)
    found = [line.position for line in tail.lines(Reader(), 11, 14, (Kind.EVENT,), 5)]
    assert (found, len(tail.lines(Reader(), 10, 15, (Kind.EVENT,), 2))) == ([13], 2)


def test_lines_from_before_what_is_remembered_are_read_from_the_database(tail, monkeypatch):
    monkeypatch.setattr(log_module, "REMEMBERED_LINES", 2)
    assert tail.lines(Reader(), 9, 10, (Kind.EVENT,), 5) == ["from the database"]
    for position in range(11, 18):
        tail.feed(lines((Kind.EVENT, position)), position)
    assert tail.lines(Reader(), 11, 17, (Kind.EVENT,), 5) == ["from the database"]
    assert [line.position for line in tail.lines(Reader(), 15, 17, (Kind.EVENT,), 5)] == [16, 17]
