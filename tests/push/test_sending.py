"""What gateways are sent, and what becomes of notifications that they do not take."""

from __future__ import annotations

import gevent
import orjson
import pytest

from core.graph.drafts import Draft
from core.ids import UserNid
from core.push.messages import Messages
from core.push.outbox import BADGE
from core.push.sending import PushSender
from core.storage.pushers import MAX_QUEUED, Pusher, PusherStore
from tests.graph.local_room import ANNA, BEN, create_room, member, message
from tests.push.conftest import PlainHttp

SOUND = b'{"sound":"default"}'


class NoLedger:
    """Nothing is unread."""

    def unread(self, user, rooms):
        return {}


@pytest.fixture
def store(database):
    return PusherStore(database)


@pytest.fixture
def sender(store, graph, writer):
    sender = PushSender(store, Messages(graph, NoLedger()), PlainHttp(), writer, first_retry_s=0.02)
    yield sender
    sender.stop()


@pytest.fixture
def event(graph):
    """A message of Ben's in a room of Anna's."""
    room = create_room(graph).room_nid
    graph.write.send(room, [member(BEN)])
    return graph.write.send(room, [message(BEN, "hi")])[0]


@pytest.fixture
def pusher(store, writer, graph, gateway):
    """Makes a pusher of Anna's."""

    def make(**data):
        details = orjson.dumps({"data": {"url": gateway.url, "brand": "x", **data}})
        anna = UserNid(graph.texts.nid(ANNA))
        writer.submit(
            lambda transaction: store.set(transaction, Pusher(0, anna, "app", "key", "http", 0, details, 5_000), False)
        )
        return store.of_user(anna)[0]

    return make


def queue(store, writer, pusher, *events, tweaks=SOUND):
    rows = [(pusher.pusher_nid, event, tweaks) for event in events]
    writer.submit(lambda transaction: store.add(transaction, rows))


def wait_until(holds):
    with gevent.Timeout(5):
        while not holds():
            gevent.sleep(0.005)


def test_a_notification_says_all_of_its_event(store, writer, sender, gateway, pusher, event):
    one = pusher()
    queue(store, writer, one, event.nid)
    sender.start()
    wait_until(lambda: not store.queue(one.pusher_nid))
    (taken,) = gateway.taken
    assert (taken["event_id"], taken["room_id"]) == (event.event_id, event.room_id)
    assert (taken["type"], taken["sender"], taken["prio"]) == ("m.room.message", BEN, "high")
    assert taken["content"] == {"body": "hi", "msgtype": "m.text"}
    (device,) = taken["devices"]
    assert device == {
        "app_id": "app",
        "pushkey": "key",
        "pushkey_ts": 5,
        "data": {"brand": "x"},
        "tweaks": {"sound": "default"},
    }
    assert store.find(one.pusher_nid).last_success_ms > 0


def test_an_event_id_is_all_that_is_sent_where_that_is_the_format(store, writer, sender, gateway, pusher, event):
    one = pusher(format="event_id_only")
    queue(store, writer, one, event.nid)
    sender.start()
    wait_until(lambda: gateway.taken)
    assert gateway.taken[0].keys() == {"event_id", "room_id", "counts", "prio", "devices"}
    assert gateway.taken[0]["devices"][0]["data"] == {"brand": "x", "format": "event_id_only"}


def test_a_gateway_that_fails_is_asked_again_until_it_answers(store, writer, sender, gateway, pusher, event):
    one = pusher()
    gateway.failures = 3
    queue(store, writer, one, event.nid)
    sender.start()
    wait_until(lambda: store.find(one.pusher_nid).failing_since_ms > 0)
    wait_until(lambda: gateway.taken)
    wait_until(lambda: store.find(one.pusher_nid).failing_since_ms == 0)


def test_a_rejected_pushkey_loses_its_pusher(store, writer, sender, gateway, pusher, event):
    one = pusher()
    gateway.rejected = ["key"]
    queue(store, writer, one, event.nid)
    sender.start()
    wait_until(lambda: store.find(one.pusher_nid) is None)
    assert store.queue(one.pusher_nid) == []


def test_a_redacted_event_is_not_pushed(store, writer, graph, sender, gateway, pusher, event):
    one = pusher()
    graph.write.send(event.room_nid, [Draft("m.room.redaction", BEN, {}, redacts=event.event_id)])
    queue(store, writer, one, event.nid)
    sender.start()
    wait_until(lambda: not store.queue(one.pusher_nid))
    assert gateway.taken == []


def test_the_same_badge_is_sent_once(store, writer, sender, gateway, pusher):
    one = pusher()
    sender.start()
    for _ in range(2):
        queue(store, writer, one, BADGE, tweaks=b"{}")
        sender.wake([one.pusher_nid])
        wait_until(lambda: not store.queue(one.pusher_nid))
    assert gateway.taken == [{"counts": {}, "devices": [gateway.taken[0]["devices"][0]]}]


def test_what_waits_for_a_pusher_is_bounded(store, writer, pusher, event):
    one = pusher()
    queue(store, writer, one, *[event.nid] * (MAX_QUEUED + 5))
    assert len(store.queue(one.pusher_nid)) == MAX_QUEUED
