"""Pushers that mail, the pauses between their mails, and rooms that all have forgotten; on both engines."""

from __future__ import annotations

from core.ids import UserNid
from core.storage import mail_pauses
from core.storage.abandoned_rooms import AbandonedRoomStore
from core.storage.mail_pauses import MailPause, MailPauseStore
from core.storage.pushers import MAIL, MAIL_APP, Pusher, PusherStore

BEN = UserNid(7)


def put_pusher(database, writer):
    store, pusher = PusherStore(database), Pusher(0, BEN, MAIL_APP, "ben@example.org", MAIL, 0, b"{}", 5)
    writer.submit(lambda transaction: store.set(transaction, pusher, False))
    return store, store.of_user(BEN)[0].pusher_nid


def test_the_last_pause_of_each_room_is_kept_and_the_oldest_rooms_go(database, writer, monkeypatch):
    monkeypatch.setattr(mail_pauses, "ROOMS", 2)
    _, pusher = put_pusher(database, writer)
    pauses = MailPauseStore(database)
    for sent_ms, room in ((10, 1), (20, 2), (30, 1), (40, 3)):
        writer.submit(lambda transaction, one=MailPause(room, sent_ms, 5): pauses.put(transaction, pusher, [one]))
    assert pauses.of(pusher) == {1: MailPause(1, 30, 5), 3: MailPause(3, 40, 5)}


def test_pauses_of_a_pusher_that_is_gone_go_as_well(database, writer):
    store, pusher = put_pusher(database, writer)
    pauses = MailPauseStore(database)
    writer.submit(lambda transaction: pauses.put(transaction, pusher, [MailPause(1, 10, 5)]))
    writer.submit(lambda transaction: store.remove_of_address(transaction, BEN, "ben@example.org"))
    writer.submit(lambda transaction: pauses.put(transaction, pusher + 1, []))
    assert pauses.of(pusher) == {}


def test_only_mails_are_waited_with_and_they_have_no_badge(database, writer):
    store, pusher = put_pusher(database, writer)
    writer.submit(lambda transaction: store.add(transaction, [(pusher, 3, b"{}"), (pusher, 4, b"{}")]))
    assert (store.waiting(MAIL), store.waiting("http"), store.with_badge((BEN,))) == ([pusher], [], [])
    writer.submit(lambda transaction: store.done(transaction, store.queue(pusher)[-1], 99))
    assert (store.queue(pusher), store.find(pusher).last_success_ms) == ([], 99)


def test_abandoned_rooms_are_noted_purged_and_come_back(database, writer):
    store = AbandonedRoomStore(database)
    assert store.now() == []
    writer.submit(lambda transaction: store.note(transaction, 4, 10))
    writer.submit(lambda transaction: store.purged(transaction, 4, 20))
    assert (store.noted(), store.last_event(4)) == ({4: (10, 20)}, None)
    writer.submit(lambda transaction: store.drop(transaction, 4))
    assert store.noted() == {}
