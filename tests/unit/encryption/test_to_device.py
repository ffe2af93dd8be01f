"""To-device messages: sent once, in order, kept until they are acknowledged, and a hundred at a time."""

import pytest

from core.errors import InvalidParam


def bodies(sync):
    return [event["content"]["n"] for event in sync.get("to_device", [])]


def send_all(sender, receiver, count, first=0):
    for n in range(first, first + count):
        sender.send(f"t{n}", {receiver.user_id: {receiver.device_id: {"n": n}}})


def test_a_message_arrives_with_sender_and_type(alice, bob):
    alice.send("t", {bob.user_id: {bob.device_id: {"a": 1}}}, "m.room.encrypted")
    assert bob.sync()["to_device"] == [{"content": {"a": 1}, "sender": alice.user_id, "type": "m.room.encrypted"}]


def test_messages_come_in_order_and_once(alice, bob):
    send_all(alice, bob, 5)
    assert bodies(bob.sync()) == [0, 1, 2, 3, 4]
    send_all(alice, bob, 2, first=5)
    assert bodies(bob.sync()) == [5, 6]
    assert bodies(bob.sync()) == []


def test_an_answer_that_was_lost_is_given_again(alice, bob):
    bob.sync()
    send_all(alice, bob, 3)
    before = bob.since
    assert bodies(bob.sync()) == [0, 1, 2]
    bob.since = before
    send_all(alice, bob, 1, first=3)
    assert bodies(bob.sync()) == [0, 1, 2, 3]


def test_messages_go_when_the_token_comes_back(alice, bob):
    bob.sync()
    send_all(alice, bob, 3)
    bob.sync()
    count = "SELECT COUNT(*) FROM to_device_messages"
    assert alice.server.database.value(count) == 3
    bob.sync()
    assert alice.server.database.value(count) == 0
    assert alice.server.database.value("SELECT COUNT(*) FROM log WHERE kind = 14") == 0


@pytest.mark.parametrize("restarts", [False, True])
def test_a_long_queue_comes_in_hundreds_without_hole_or_double(alice, bob, restarts):
    bob.sync()
    send_all(alice, bob, 230)
    found = []
    for size in (100, 100, 30, 0):
        if restarts:
            alice.server.build()
        token = bob.since
        assert len(bodies(bob.sync())) == size
        bob.since = token  # the first answer was lost on the way
        got = bodies(bob.sync())
        assert len(got) == size
        found += got
        if size == 100:
            send_all(alice, bob, 0)
    assert found == list(range(230))


def test_messages_that_arrive_while_a_queue_drains_come_last(alice, bob):
    send_all(alice, bob, 150)
    assert bodies(bob.sync()) == list(range(100))
    send_all(alice, bob, 60, first=150)
    assert bodies(bob.sync()) == list(range(100, 200))
    assert bodies(bob.sync()) == list(range(200, 210))
    assert bodies(bob.sync()) == []
    assert alice.server.database.value("SELECT COUNT(*) FROM to_device_messages") == 0


def test_a_sync_without_a_token_begins_again(alice, bob):
    send_all(alice, bob, 3)
    for _ in range(2):
        bob.since = None
        assert bodies(bob.sync()) == [0, 1, 2]


def test_a_star_reaches_every_device_and_a_name_goes_before_it(alice, bob):
    phone = bob.another()
    alice.send("t", {bob.user_id: {"*": {"n": 1}, phone.device_id: {"n": 2}}})
    assert bodies(bob.sync()) == [1]
    assert bodies(phone.sync()) == [2]


def test_a_repeated_transaction_id_sends_nothing(alice, bob):
    for _ in range(2):
        alice.send("same", {bob.user_id: {bob.device_id: {"n": 1}}})
    assert bodies(bob.sync()) == [1]


def test_transaction_ids_are_kept_apart_by_device_and_by_type(alice, bob):
    alice.send("same", {bob.user_id: {bob.device_id: {"n": 1}}})
    alice.another().send("same", {bob.user_id: {bob.device_id: {"n": 2}}})
    alice.send("same", {bob.user_id: {bob.device_id: {"n": 3}}}, "m.other")
    assert bodies(bob.sync()) == [1, 2, 3]


def test_unknown_devices_and_users_are_passed_over(alice, bob):
    alice.send("t", {bob.user_id: {"NONE": {"n": 1}}, "@nobody:example.org": {"*": {"n": 2}}})
    assert bodies(bob.sync()) == []


@pytest.mark.parametrize(
    ("messages", "errcode"),
    [
        (7, "M_BAD_JSON"),
        ({"bob": {"X": {}}}, "M_INVALID_PARAM"),
        ({"@bob:example.org": []}, "M_BAD_JSON"),
        ({"@bob:example.org": {"X": "text"}}, "M_BAD_JSON"),
        ({"@bob:example.org": {"X": {"a": "x" * 70_000}}}, "M_TOO_LARGE"),
        ({"@bob:example.org": {str(n): {} for n in range(10_001)}}, "M_TOO_LARGE"),
    ],
)
def test_junk_is_refused(alice, messages, errcode):
    _, error = alice.refused("PUT", "/sendToDevice/m.test/t", {"messages": messages})
    assert error["errcode"] == errcode


def test_what_waited_for_a_device_goes_with_it(alice, bob):
    send_all(alice, bob, 3)
    bob.ask("POST", "/logout")
    assert alice.server.database.value("SELECT COUNT(*) FROM to_device_messages") == 0


def test_another_servers_messages_are_delivered_once(server, bob):
    messages = {bob.user_id: {bob.device_id: {"n": 1}}, "@x:third.org": {"*": {}}}
    for _ in range(2):
        server.to_device.receive("other.org", "id", "@eve:other.org", "m.test", messages)
    assert bob.sync()["to_device"] == [{"content": {"n": 1}, "sender": "@eve:other.org", "type": "m.test"}]


def test_another_server_may_not_send_for_users_of_a_third(server, bob):
    with pytest.raises(InvalidParam):
        server.to_device.receive("other.org", "id", "@alice:example.org", "m.test", {bob.user_id: {"*": {}}})


def test_messages_to_other_servers_are_queued_with_the_rest(server, alice, bob):
    posted = []

    class Inboxes:
        def post(self, transaction, sender, event_type, messages):
            posted.append((sender, event_type, messages))

    server.remote_inboxes = Inboxes()
    server.build()
    alice.send("t", {bob.user_id: {bob.device_id: {"n": 1}}, "@x:other.org": {"*": {"n": 2}}})
    assert bodies(bob.sync()) == [1]
    assert posted == [(alice.user_id, "m.test", {"@x:other.org": {"*": b'{"n":2}'}})]


def test_the_oldest_messages_of_a_device_that_never_reads_are_dropped(server, alice, bob, monkeypatch):
    monkeypatch.setattr("core.encryption.to_device.MAX_WAITING", 4)
    send_all(alice, bob, 7)
    assert server.to_device.tidy() == 3
    assert bodies(bob.sync()) == [3, 4, 5, 6]


def test_transaction_ids_are_forgotten_after_a_day(server, alice):
    alice.send("t", {})
    server.clock.ms += 25 * 3600 * 1000
    server.to_device.tidy()
    assert server.database.value("SELECT COUNT(*) FROM to_device_requests") == 0
