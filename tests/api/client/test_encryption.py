"""Encryption over real HTTP with real syncs: what ends a waiting sync, what each answer carries, what a restart keeps."""

from __future__ import annotations

import gevent
import pytest

from tests.servers.device_keys import ClientDevice, Identity
from tests.servers.trellis import Server

ENCRYPTED = "m.room.encrypted"


def publish(user, count=0, **fields):
    """The user's device, with its keys uploaded."""
    device = ClientDevice(user.user_id, user.device_id)
    body = {"device_keys": device.keys(), "one_time_keys": device.one_time_keys(0, count), **fields}
    user.post("/v3/keys/upload", body)
    return device


def send(sender, receiver, txn, **content):
    messages = {receiver.user_id: {receiver.device_id: content}}
    sender.put(f"/v3/sendToDevice/{ENCRYPTED}/{txn}", {"messages": messages})


NO_PRESENCE = '{"presence":{"not_types":["*"]}}'


def waiting(user, since):
    """A sync that waits, already on its way."""
    job = gevent.spawn(user.sync, since, 20_000, filter=NO_PRESENCE)
    gevent.sleep(0)  # lets the request go out first; were it late, it would be answered at once
    return job


@pytest.fixture
def room(alice, bob):
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    return room


def test_a_message_ends_a_waiting_sync(alice, bob):
    since = bob.sync()["next_batch"]
    job = waiting(bob, since)
    send(alice, bob, "t1", a=1)
    answer = job.get(timeout=10)
    assert answer["to_device"]["events"] == [{"content": {"a": 1}, "sender": alice.user_id, "type": ENCRYPTED}]
    assert "to_device" not in bob.sync(answer["next_batch"])


def test_a_claim_ends_a_waiting_sync_with_the_new_count(alice, bob):
    publish(bob, 3)
    job = waiting(bob, bob.sync()["next_batch"])
    alice.post("/v3/keys/claim", {"one_time_keys": {bob.user_id: {bob.device_id: "signed_curve25519"}}})
    assert job.get(timeout=10)["device_one_time_keys_count"] == {"signed_curve25519": 2}


def test_new_keys_end_the_waiting_sync_of_who_shares_a_room(alice, bob, room):
    job = waiting(bob, bob.sync()["next_batch"])
    publish(alice)
    assert job.get(timeout=10)["device_lists"] == {"changed": [alice.user_id], "left": []}


def test_every_answer_tells_the_counts_one_without_news_included(alice):
    publish(alice, 5)
    first = alice.sync()
    for answer in (first, alice.sync(first["next_batch"])):
        assert answer["device_one_time_keys_count"] == {"signed_curve25519": 5}
        assert answer["device_unused_fallback_key_types"] == []


def test_a_new_device_is_told_before_it_has_keys(server, alice, bob, room):
    since = bob.sync()["next_batch"]
    phone = server.login(alice)
    news = bob.wait(since)
    assert news["device_lists"]["changed"] == [alice.user_id]
    server.login(alice, device_id=phone.device_id)
    assert bob.sync(news["next_batch"]).get("device_lists", {}).get("changed", []) == []


def test_joining_and_leaving_tells_both_sides(alice, bob):
    room = alice.create_room(preset="public_chat")
    alices, bobs = alice.sync()["next_batch"], bob.sync()["next_batch"]
    bob.join(room)
    answers = alice.sync(alices), bob.sync(bobs)
    assert [answer["device_lists"]["changed"] for answer in answers] == [[bob.user_id], [alice.user_id]]
    bob.post(f"/v3/rooms/{room}/leave")
    answers = alice.sync(answers[0]["next_batch"]), bob.sync(answers[1]["next_batch"])
    assert [answer["device_lists"]["left"] for answer in answers] == [[bob.user_id], [alice.user_id]]


def test_a_first_sync_has_no_device_lists(alice, room):
    assert "device_lists" not in alice.sync()


def test_keys_changes_takes_sync_tokens(alice, bob, room):
    before = bob.sync()["next_batch"]
    publish(alice)
    after = bob.sync(before)["next_batch"]
    answer = bob.get("/v3/keys/changes", **{"from": before, "to": after})
    assert answer == {"changed": [alice.user_id], "left": []}


def test_a_long_queue_drains_by_waiting_syncs(alice, bob):
    since = bob.sync()["next_batch"]
    for n in range(230):
        send(alice, bob, f"t{n}", n=n)
    sizes, found = [], []
    for _ in range(3):
        answer = bob.sync(since, timeout=5000)
        events = answer["to_device"]["events"]
        sizes.append(len(events))
        found += [event["content"]["n"] for event in events]
        since = answer["next_batch"]
    assert sizes == [100, 100, 30]
    assert found == list(range(230))


def test_another_devices_messages_do_not_end_the_sync(alice, bob, server):
    body = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": bob.user_id}}
    phone = bob.post("/v3/login", {**body, "password": "pässword"})["device_id"]
    since = bob.sync()["next_batch"]
    alice.put("/v3/sendToDevice/m.x/other", {"messages": {bob.user_id: {phone: {"a": 1}}}})
    assert "to_device" not in bob.sync(since, timeout=300)


def test_cross_signing_is_told_to_who_shares_a_room(alice, bob, room):
    since = bob.sync()["next_batch"]
    alice.post("/v3/keys/device_signing/upload", Identity(alice.user_id).body())
    assert bob.sync(since)["device_lists"]["changed"] == [alice.user_id]


def test_keys_counts_and_messages_survive_a_kill(tmp_path):
    server = Server(tmp_path).start()
    try:
        alice, bob = server.register(), server.register()
        publish(bob, 4)
        since = bob.sync()["next_batch"]
        wanted = {"one_time_keys": {bob.user_id: {bob.device_id: "signed_curve25519"}}}
        given = [_claimed(alice.post("/v3/keys/claim", wanted), bob) for _ in range(2)]
        send(alice, bob, "t1", n=1)
        server.kill()
        server.start()
        send(alice, bob, "t1", n=1)
        answer = bob.sync(since)
        assert [event["content"]["n"] for event in answer["to_device"]["events"]] == [1]
        assert answer["device_one_time_keys_count"] == {"signed_curve25519": 2}
        given += [_claimed(alice.post("/v3/keys/claim", wanted), bob) for _ in range(2)]
        assert len(set(given)) == 4
    finally:
        server.stop()


def _claimed(answer, user):
    return next(iter(answer["one_time_keys"][user.user_id][user.device_id]))
