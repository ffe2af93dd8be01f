"""The log stays bounded: one line a key, or one a row that still exists."""

from core.storage.compaction import LogKeeper
from core.storage.log import NEWEST_PER_KEY, Kind, LogReader


def lines(database):
    return [(line.position, line.kind, line.subject, line.reference) for line in LogReader(database).lines(0, 10_000)]


def test_kinds_that_keep_the_newest_do_so_by_themselves(database, writer):
    for _ in range(3):
        writer.submit(lambda tx: [tx.log(kind, 1, 2) for kind in sorted(NEWEST_PER_KEY)])
    assert [kind for _, kind, _, _ in lines(database)] == sorted(NEWEST_PER_KEY)
    assert LogKeeper(database).repeated() == 0
    assert LogKeeper(database).count() == dict.fromkeys(NEWEST_PER_KEY, 1)


def test_lines_of_one_group_that_replace_each_other_take_one_position(database, writer):
    first, other, last = writer.submit(lambda tx: [tx.log(Kind.RECEIPT, 1, n) for n in (7, 8, 7)])
    assert (other.position, first.position, last.position) == (1, 2, 2)
    assert lines(database) == [(1, Kind.RECEIPT, 1, 8), (2, Kind.RECEIPT, 1, 7)]


def test_the_same_reference_of_another_subject_or_kind_is_kept(database, writer):
    writer.submit(
        lambda tx: [tx.log(Kind.RECEIPT, 1, 7), tx.log(Kind.PRIVATE_RECEIPT, 1, 7), tx.log(Kind.RECEIPT, 2, 7)]
    )
    writer.submit(lambda tx: tx.log(Kind.RECEIPT, 1, 7))
    assert [line[0] for line in lines(database)] == [2, 3, 4]


def test_many_keys_are_replaced_in_one_group(database, writer):
    for _ in range(2):
        writer.submit(lambda tx: [tx.log(Kind.RECEIPT, 1, n) for n in range(130)])
    assert [line[0] for line in lines(database)] == list(range(131, 261))


def test_lines_go_with_the_rows_they_point_at(database, writer):
    keeper = LogKeeper(database)
    writer.submit(lambda tx: [tx.log(Kind.TO_DEVICE, 1, n) for n in range(5)])
    assert writer.submit(lambda tx: keeper.drop(tx, Kind.TO_DEVICE, [0, 1, 2, 99])) == 3
    assert writer.submit(lambda tx: keeper.drop(tx, Kind.EVENT, [3])) == 0
    assert [line[3] for line in lines(database)] == [3, 4]
    assert keeper.horizon() == 0


def test_dropping_what_consumers_need_raises_the_horizon(database, writer):
    keeper = LogKeeper(database)
    writer.submit(lambda tx: [tx.log(Kind.STATE_DELTA, 1, n) for n in range(5)])
    writer.submit(lambda tx: keeper.drop_subject(tx, Kind.STATE_DELTA, 1, 3))
    assert keeper.horizon() == 3
    writer.submit(lambda tx: keeper.drop(tx, Kind.STATE_DELTA, [3]))
    assert keeper.horizon() == 4
    assert [line[0] for line in lines(database)] == [5]
