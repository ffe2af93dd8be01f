"""Receipts on both engines."""

import pytest

from core.storage import receipts
from core.storage.log import Kind
from core.storage.receipts import MAIN, UNTHREADED, Receipt, ReceiptStore, ReceiptType

ROOM, OTHER = 5, 6


def receipt(user=7, room=ROOM, thread=UNTHREADED, position=10, kind=ReceiptType.PUBLIC, nid=None):
    nid = position if nid is None else nid
    return Receipt(user, room, kind, thread, nid, f"${nid}", position, position, 1000 + position)


@pytest.fixture
def store(database):
    return ReceiptStore(database)


@pytest.fixture
def move(store, writer):
    return lambda *receipts: [writer.submit(lambda tx, one=one: store.move(tx, one)) for one in receipts]


def test_a_receipt_moves_forward_only(store, move):
    assert move(receipt(position=10), receipt(position=12), receipt(position=11), receipt(position=12)) == [
        True,
        True,
        False,
        False,
    ]
    assert store.latest(7, ROOM) == {UNTHREADED: receipt(position=12)}


def test_receipts_of_one_group_of_writes_see_each_other(store, writer):
    def job(tx):
        return [store.move(tx, receipt(position=position)) for position in (10, 12, 11)]

    assert writer.submit(job) == [True, True, False]
    assert store.latest(7, ROOM)[UNTHREADED].event_id == "$12"


def test_each_thread_has_its_own_and_threads_differ_by_case(store, move):
    move(*[receipt(thread=thread, position=n) for n, thread in enumerate((UNTHREADED, MAIN, "$Root", "$root"), 1)])
    assert {thread: one.event_position for thread, one in store.latest(7, ROOM).items()} == {
        UNTHREADED: 1,
        MAIN: 2,
        "$Root": 3,
        "$root": 4,
    }


def test_the_latest_is_whichever_of_both_types_is_further_on(store, move):
    private = receipt(position=12, kind=ReceiptType.PRIVATE)
    move(receipt(position=10), private, receipt(room=OTHER, position=3))
    assert store.latest(7, ROOM) == {UNTHREADED: private}
    assert store.latest_in_rooms(7, [ROOM, OTHER, 99]) == {
        ROOM: {UNTHREADED: private},
        OTHER: {UNTHREADED: receipt(room=OTHER, position=3)},
    }
    assert len(store.own(7)) == 3


def test_of_a_big_room_the_receipts_that_are_furthest_on_are_read(store, move):
    move(*[receipt(user=user, position=user) for user in range(1, 9)], receipt(user=9, room=OTHER, position=1))
    move(receipt(user=9, position=99, kind=ReceiptType.PRIVATE))
    found = store.public([ROOM, OTHER], limit=3)
    assert sorted((one.room_nid, one.user_nid) for one in found) == [(ROOM, 6), (ROOM, 7), (ROOM, 8), (OTHER, 9)]


def test_changes_are_told_by_room_and_private_ones_by_user(store, move, log):
    private = receipt(position=4, kind=ReceiptType.PRIVATE)
    move(receipt(position=1), receipt(position=2), private, receipt(user=8, room=OTHER, position=1))
    assert store.changed([ROOM], 0, log.tip()) == [receipt(position=2)]
    assert store.changed_private(7, 0, log.tip()) == [private]
    assert store.changed_private(8, 0, log.tip()) == []
    assert store.changed([ROOM, OTHER], log.tip(), log.tip() + 1) == []


def test_a_receipt_has_one_line_of_the_log_however_often_it_moves(store, move, log):
    move(*[receipt(position=position) for position in range(1, 6)])
    lines = log.lines(0, log.tip(), [Kind.RECEIPT])
    assert [(line.subject, line.position) for line in lines] == [(ROOM, 5)]
    assert store.by_nids([lines[0].reference]) == {lines[0].reference: receipt(position=5)}


def test_what_was_backfilled_is_before_everything_that_was_told(store, move):
    assert move(receipt(position=0, nid=9), receipt(position=5), receipt(position=0, nid=10)) == [True, True, False]


def test_of_too_many_threads_the_one_furthest_back_is_forgotten_with_its_line(store, move, database, monkeypatch):
    monkeypatch.setattr(receipts, "MOST_THREADS", 2)
    move(receipt(thread=MAIN, position=1), receipt(position=2))
    move(*[receipt(thread=f"$root{position}", position=position) for position in (13, 11, 12)])
    assert set(store.latest(7, ROOM)) == {MAIN, UNTHREADED, "$root12", "$root13"}
    assert database.value("SELECT COUNT(*) FROM log WHERE kind = ?", (int(Kind.RECEIPT),)) == 4
