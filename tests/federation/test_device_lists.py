"""Device lists and to-device messages between servers, when all is well and when it is not."""

from __future__ import annotations

import time
from urllib.parse import quote

import pytest

from tests.federation.test_senders import until
from tests.federation.test_transactions import sync_until
from tests.servers.device_keys import ClientDevice, Identity
from tests.servers.guest_server import Guest
from tests.servers.remote import Reply

SEND = "/_matrix/federation/v1/send/"
DEVICES = "/_matrix/federation/v1/user/devices/"
QUERY = "/_matrix/federation/v1/user/keys/query"


@pytest.fixture
def guest(alpha, remote):
    """A user of a fake server in a room with one of ours, whom it knows."""
    guest = Guest(remote, alpha, alpha.register().create_room(preset="public_chat"))
    guest.join()
    remote.answer(SEND, {"pdus": {}})
    return guest


@pytest.fixture
def alice(alpha, guest):
    """One of ours, in the room."""
    alice = alpha.register()
    alice.join(guest.room_id)
    return alice


def publish(user, **extra):
    """Upload keys of a user's device; the device."""
    device = ClientDevice(user.user_id, user.device_id)
    user.post("/v3/keys/upload", {"device_keys": device.keys(**extra)})
    return device


def edus(remote, kind, count):
    """The contents of the first `count` EDUs of a kind that the fake took."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        taken = [edu for seen in remote.asked(SEND) for edu in seen.json["edus"] if edu["edu_type"] == kind]
        if len(taken) >= count:
            return [edu["content"] for edu in taken]
        time.sleep(0.05)
    raise AssertionError(f"fewer than {count} {kind} came")


def keys_of(user, other):
    """The device keys that a user is told of another, by device."""
    return user.post("/v3/keys/query", {"device_keys": {other: []}})["device_keys"].get(other)


def known_device(guest, device_id="ONE"):
    """What the fake publishes of its user, who has one device."""
    device = ClientDevice(guest.user_id, device_id)
    keys = device.keys()
    guest.remote.answer(QUERY, {"device_keys": {guest.user_id: {device_id: keys}}})
    guest.remote.answer(
        DEVICES,
        {"user_id": guest.user_id, "stream_id": 7, "devices": [{"device_id": device_id, "keys": keys}]},
    )
    return device


def asked_of(remote):
    """The paths under which the fake was asked of its users."""
    return [seen.path for seen in remote.asked("/_matrix/federation/v1/user/")]


def announce(guest, device_id, stream_id, prev_id, **changed):
    """Send a device list update of the fake's user."""
    content = {"user_id": guest.user_id, "device_id": device_id, "stream_id": stream_id, "prev_id": prev_id, **changed}
    guest.transact(edus=[{"edu_type": "m.device_list_update", "content": content}])


def numbered(alice, guest):
    """Bring what is known of the fake's user to the list numbered 7."""
    device = known_device(guest)
    keys_of(alice, guest.user_id)
    announce(guest, "ONE", 7, [6], keys=device.keys())
    assert set(keys_of(alice, guest.user_id)) == {"ONE"}
    guest.remote.requests.clear()


def test_announcements_are_numbered_and_each_names_the_one_before(alpha, alice, remote):
    publish(alice)
    (first,) = edus(remote, "m.device_list_update", 1)
    assert first["device_id"] == alice.device_id
    assert first["keys"]["user_id"] == alice.user_id
    alice.post("/v3/keys/upload", {"device_keys": ClientDevice(alice.user_id, alice.device_id).keys()})
    second = edus(remote, "m.device_list_update", 2)[1]
    assert second["prev_id"] == [first["stream_id"]]
    assert second["stream_id"] > first["stream_id"]


def test_who_joins_a_room_is_made_known_to_its_servers_once(alpha, alice, guest, remote):
    bob, second = alpha.register(), Guest(remote, alpha, alpha.register().create_room(preset="public_chat"))
    second.join()
    publish(bob)
    text = alice.send(guest.room_id, "so far nobody heard of bob")
    until(lambda: text in {guest.signed_id(pdu) for seen in remote.asked(SEND) for pdu in seen.json["pdus"]})
    bob.join(guest.room_id)
    (told,) = edus(remote, "m.device_list_update", 1)
    assert (told["user_id"], told["device_id"], told["prev_id"]) == (bob.user_id, bob.device_id, [])
    bob.join(second.room_id)
    publish(bob)
    following = edus(remote, "m.device_list_update", 2)[1]
    assert following["prev_id"] == [told["stream_id"]]


def test_a_removed_device_is_announced_as_deleted_the_last_one_too(alice, remote):
    publish(alice)
    edus(remote, "m.device_list_update", 1)
    alice.post("/v3/logout")
    gone = edus(remote, "m.device_list_update", 2)[1]
    assert (gone["device_id"], gone["deleted"]) == (alice.device_id, True)


def test_cross_signing_keys_are_announced(alice, remote):
    identity = Identity(alice.user_id)
    alice.post("/v3/keys/device_signing/upload", identity.body())
    (told,) = edus(remote, "m.signing_key_update", 1)
    assert told == {
        "user_id": alice.user_id,
        "master_key": identity.key("master"),
        "self_signing_key": identity.key("self_signing"),
    }


def test_the_list_has_the_number_of_the_last_announcement(alice, guest, remote):
    publish(alice)
    (told,) = edus(remote, "m.device_list_update", 1)
    found = guest.call("GET", f"/v1/user/devices/{quote(alice.user_id)}").json()
    assert found["stream_id"] == told["stream_id"]


def test_names_of_sessions_stay_here_unless_the_administrator_lets_them_out(alice, guest, remote):
    alice.put(f"/v3/devices/{alice.device_id}", {"display_name": "my telephone"})
    publish(alice)
    told = edus(remote, "m.device_list_update", 1)
    found = guest.call("GET", f"/v1/user/devices/{quote(alice.user_id)}").json()
    asked = guest.call("POST", "/v1/user/keys/query", {"device_keys": {alice.user_id: []}}).json()
    assert "my telephone" not in str((told, found, asked))


def test_what_is_known_is_not_asked_again(alice, guest, remote):
    known_device(guest)
    assert set(keys_of(alice, guest.user_id)) == {"ONE"}
    remote.requests.clear()
    assert set(keys_of(alice, guest.user_id)) == {"ONE"}
    assert asked_of(remote) == []


def test_an_update_that_follows_what_is_known_is_taken_without_asking(alice, guest, remote):
    numbered(alice, guest)
    other = ClientDevice(guest.user_id, "TWO").keys()
    announce(guest, "TWO", 8, [7], keys=other, device_display_name="new")
    found = keys_of(alice, guest.user_id)
    assert set(found) == {"ONE", "TWO"}
    assert found["TWO"] == {**other, "unsigned": {"device_display_name": "new"}}
    announce(guest, "ONE", 9, [8], deleted=True)
    assert set(keys_of(alice, guest.user_id)) == {"TWO"}
    assert asked_of(remote) == []


def test_an_update_after_a_gap_has_the_whole_list_asked_for(alice, guest, remote):
    numbered(alice, guest)
    device = ClientDevice(guest.user_id, "NEW")
    remote.answer(
        DEVICES,
        {"user_id": guest.user_id, "stream_id": 12, "devices": [{"device_id": "NEW", "keys": device.keys()}]},
    )
    announce(guest, "NEW", 12, [11], keys=device.keys())
    assert set(keys_of(alice, guest.user_id)) == {"NEW"}
    assert asked_of(remote) == [f"{DEVICES}{quote(guest.user_id, safe='')}"]


def test_an_update_after_a_gap_has_the_list_asked_for_before_anybody_queries(alice, guest, remote):
    numbered(alice, guest)
    announce(guest, "NEW", 12, [11], keys={})
    until(lambda: remote.asked(DEVICES))


def test_a_list_that_was_never_asked_for_is_numbered_from_the_first_query_on(alice, guest, remote):
    device = known_device(guest)
    assert set(keys_of(alice, guest.user_id)) == {"ONE"}
    announce(guest, "ONE", 8, [7], keys=device.keys())
    assert set(keys_of(alice, guest.user_id)) == {"ONE"}
    assert asked_of(remote) == [f"{DEVICES}{quote(guest.user_id, safe='')}"]


def test_an_update_is_told_to_those_who_share_a_room(alice, guest):
    numbered(alice, guest)
    since = alice.sync()["next_batch"]
    announce(guest, "ONE", 8, [7], deleted=True)
    changed, _ = sync_until(alice, lambda answer: answer.get("device_lists", {}).get("changed"), since)
    assert changed == [guest.user_id]


def test_new_cross_signing_keys_take_the_place_of_those_known(alice, guest):
    numbered(alice, guest)
    master = Identity(guest.user_id).key("master")
    content = {"user_id": guest.user_id, "master_key": master}
    guest.transact(edus=[{"edu_type": "m.signing_key_update", "content": content}])
    found = alice.post("/v3/keys/query", {"device_keys": {guest.user_id: []}})
    assert found["master_keys"] == {guest.user_id: master}


def test_a_list_is_asked_for_again_after_its_user_was_away(alice, guest, remote):
    numbered(alice, guest)
    event_id, pdu = guest.member("leave")
    guest.send_member("leave", event_id, pdu)
    guest.join()
    deadline = time.monotonic() + 10
    while not remote.asked(DEVICES) and time.monotonic() < deadline:
        keys_of(alice, guest.user_id)
    assert remote.asked(DEVICES)


def test_keys_of_a_server_that_is_away_are_told_as_last_known(alice, guest, remote):
    numbered(alice, guest)
    remote.answer(DEVICES, Reply("503 Busy", {"errcode": "M_UNKNOWN", "error": "later"}))
    remote.answer(QUERY, Reply("503 Busy", {"errcode": "M_UNKNOWN", "error": "later"}))
    announce(guest, "ONE", 99, [98], keys={})
    found = alice.post("/v3/keys/query", {"device_keys": {guest.user_id: []}, "timeout": 1000})
    assert set(found["device_keys"][guest.user_id]) == {"ONE"}
    assert set(found["failures"]) == {remote.name}


def test_messages_survive_the_refusal_of_a_whole_transaction(alice, guest, remote):
    answers = iter([Reply("403 No", {"errcode": "M_FORBIDDEN", "error": "no"}), Reply("404 No", b"<html>")])
    remote.answer(SEND, lambda seen: next(answers, {"pdus": {}}) if b"m.test" in seen.body else {"pdus": {}})
    messages = {guest.user_id: {"ONE": {"n": 1}}}
    alice.put("/v3/sendToDevice/m.test/t1", {"messages": messages})
    told = edus(remote, "m.direct_to_device", 3)
    assert [one["messages"] for one in told] == [messages] * 3
    assert len({one["message_id"] for one in told}) == 1


def test_one_message_that_cannot_be_taken_costs_no_other(alice, guest, remote):
    taken = []

    def answer(seen):
        bodies = [edu["content"].get("messages", {}) for edu in seen.json["edus"]]
        numbers = [one[guest.user_id]["ONE"]["n"] for one in bodies if one]
        if 2 in numbers:
            return Reply("400 Bad", {"errcode": "M_BAD_JSON", "error": "no"})
        taken.extend(numbers)
        return {"pdus": {}}

    remote.answer(SEND, Reply("503 Busy", {"errcode": "M_UNKNOWN", "error": "later"}))
    for number in range(5):
        content = {"messages": {guest.user_id: {"ONE": {"n": number}}}}
        alice.put(f"/v3/sendToDevice/m.test/t{number}", content)
    remote.answer(SEND, answer)
    deadline = time.monotonic() + 20
    while len(taken) < 4 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert taken == [0, 1, 3, 4]


def test_a_change_made_while_the_other_server_was_away_arrives_when_it_is_back(alpha, make_server):
    gamma = make_server()
    alice, carol = alpha.register(), gamma.register()
    room_id = alice.create_room(preset="public_chat")
    carol.post(f"/v3/join/{quote(room_id)}", {}, via=alpha.name)
    publish(alice)
    sync_until(carol, lambda _answer: keys_of(carol, alice.user_id), carol.sync()["next_batch"])
    gamma.stop()
    second = alpha.login(alice)
    publish(second)
    alice.put("/v3/sendToDevice/m.test/t1", {"messages": {carol.user_id: {carol.device_id: {"n": 1}}}})
    gamma.start()
    events, _ = sync_until(carol, lambda answer: answer.get("to_device", {}).get("events"))
    assert [event["content"] for event in events] == [{"n": 1}]
    assert len(keys_of(carol, alice.user_id)) == 2
