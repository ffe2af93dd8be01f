"""Other servers are told what happens here."""

from __future__ import annotations

import time
from urllib.parse import quote

import pytest

from tests.federation.test_transactions import arrived, ephemeral, sync_until
from tests.servers.guest_server import Guest
from tests.servers.remote import Reply

SEND = "/_matrix/federation/v1/send/"


@pytest.fixture
def shared(alpha, beta):
    """A user of each server in a room."""
    alice, bob = alpha.register(), beta.register()
    room_id = alice.create_room(preset="public_chat")
    bob.post(f"/v3/join/{quote(room_id)}", {}, via=alpha.name)
    return alice, bob, room_id


def told(remote, event_id, guest, seconds=20):
    """Wait until the fake was told of an event; the transactions it got."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        seen = remote.asked(SEND)
        ids = [guest.signed_id(pdu) for one in seen for pdu in one.json["pdus"]]
        if event_id in ids:
            return seen
        time.sleep(0.05)
    raise AssertionError("it was never told")


@pytest.fixture
def hearing(remote):
    """A fake that takes transactions."""
    remote.answer(SEND, {"pdus": {}})
    return remote


def test_a_conversation_goes_back_and_forth(shared):
    alice, bob, room_id = shared
    sync_until(bob, arrived(room_id, alice.send(room_id, "hello")))
    sync_until(alice, arrived(room_id, bob.send(room_id, "hello yourself")))


def test_state_and_members_reach_the_other_server(shared, beta):
    alice, bob, room_id = shared
    sync_until(bob, arrived(room_id, alice.set_state(room_id, "m.room.topic", {"topic": "New"})))
    bob.post(f"/v3/rooms/{quote(room_id)}/leave")
    path = f"/v3/rooms/{quote(room_id)}/state/m.room.member/{quote(bob.user_id)}"
    since = None
    for _ in range(20):
        if alice.get(path)["membership"] == "leave":
            break
        since = alice.sync(since, timeout=500)["next_batch"]
    assert alice.get(path)["membership"] == "leave"


def test_a_kicked_user_hears_of_it(shared):
    alice, bob, room_id = shared
    alice.post(f"/v3/rooms/{quote(room_id)}/kick", {"user_id": bob.user_id})
    sync_until(bob, lambda answer: room_id in answer.get("rooms", {}).get("leave", {}), bob.sync()["next_batch"])


def test_typing_and_receipts_reach_the_other_server(shared):
    alice, bob, room_id = shared
    since = bob.sync()["next_batch"]
    alice.put(f"/v3/rooms/{quote(room_id)}/typing/{quote(alice.user_id)}", {"typing": True, "timeout": 20_000})
    assert sync_until(bob, ephemeral(room_id, "m.typing"), since)[0] == {"user_ids": [alice.user_id]}
    event_id = bob.send(room_id)
    sync_until(alice, arrived(room_id, event_id))
    since = bob.sync()["next_batch"]
    alice.post(f"/v3/rooms/{quote(room_id)}/receipt/m.read/{quote(event_id)}")
    assert event_id in sync_until(bob, ephemeral(room_id, "m.receipt"), since)[0]


def test_a_third_server_hears_of_a_join_through_us(alpha, beta, hearing):
    alice, bob = alpha.register(), beta.register()
    guest = Guest(hearing, alpha, alice.create_room(preset="public_chat"))
    guest.join()
    bob.post(f"/v3/join/{quote(guest.room_id)}", {}, via=alpha.name)
    member = next(event for event in alice.get(f"/v3/rooms/{quote(guest.room_id)}/state")
                  if event.get("state_key") == bob.user_id)  # fmt: skip
    told(hearing, member["event_id"], guest)


def test_many_events_go_in_few_transactions_in_order(alpha, hearing):
    alice = alpha.register()
    guest = Guest(hearing, alpha, alice.create_room(preset="public_chat"))
    guest.join()
    sent = [alice.send(guest.room_id, f"m{number}") for number in range(30)]
    seen = told(hearing, sent[-1], guest)
    ids = [guest.signed_id(pdu) for one in seen for pdu in one.json["pdus"]]
    assert [event_id for event_id in ids if event_id in sent] == sent
    assert all(len(one.json["pdus"]) <= 50 for one in seen)


def test_a_server_that_was_away_is_told_later_under_the_same_id(alpha, remote):
    alice = alpha.register()
    guest = Guest(remote, alpha, alice.create_room(preset="public_chat"))
    guest.join()
    answers = iter([Reply("503 Busy", {"errcode": "M_UNKNOWN", "error": "later"})])
    remote.answer(SEND, lambda _seen: next(answers, {"pdus": {}}))
    first = alice.send(guest.room_id, "first")
    seen = told(remote, first, guest)
    while len(remote.asked(SEND)) < 2:
        time.sleep(0.05)
    assert [one.target for one in remote.asked(SEND)[:2]] == [seen[0].target] * 2


def test_what_was_not_told_before_a_kill_is_told_after_it(make_server, remote):
    server = make_server()
    alice = server.register()
    guest = Guest(remote, server, alice.create_room(preset="public_chat"))
    guest.join()
    remote.answer(SEND, Reply("503 Busy", {"errcode": "M_UNKNOWN", "error": "later"}))
    sent = [alice.send(guest.room_id, f"m{number}") for number in range(3)]
    server.kill()
    remote.answer(SEND, {"pdus": {}})
    server.start()
    told(remote, sent[-1], guest)


def test_an_event_that_is_refused_holds_up_nothing(alpha, remote):
    alice = alpha.register()
    guest = Guest(remote, alpha, alice.create_room(preset="public_chat"))
    guest.join()

    def answer(seen):
        bad = any(pdu["content"].get("body") == "bad" for pdu in seen.json["pdus"])
        return Reply("400 Bad", {"errcode": "M_BAD_JSON", "error": "no"}) if bad else {"pdus": {}}

    remote.answer(SEND, answer)
    alice.send(guest.room_id, "bad")
    told(remote, alice.send(guest.room_id, "good"), guest)


def refusing(remote, is_bad):
    """Have the fake refuse transactions that hold anything bad; returns the EDUs of those it took, in order."""
    taken = []

    def answer(seen):
        if any(is_bad(one) for one in [*seen.json["pdus"], *seen.json["edus"]]):
            return Reply("400 Bad", {"errcode": "M_BAD_JSON", "error": "no"})
        taken.extend(seen.json["edus"])
        return {"pdus": {}}

    remote.answer(SEND, answer)
    return taken


def until(claim, seconds=20):
    """Wait until a claim holds."""
    deadline = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < deadline, "it never was so"
        time.sleep(0.05)


def whisper(user, guest, body):
    """A to-device message to the guest."""
    messages = {guest.user_id: {"D": {"body": body}}}
    user.put(f"/v3/sendToDevice/m.test/{body}", {"messages": messages})


def whispered(edus):
    """The bodies of to-device messages among EDUs."""
    return [one["content"]["messages"] for one in edus if one["edu_type"] == "m.direct_to_device"]


def test_a_refused_event_costs_no_to_device_message(alpha, remote):
    alice = alpha.register()
    guest = Guest(remote, alpha, alice.create_room(preset="public_chat"))
    guest.join()
    remote.answer(SEND, Reply("503 Busy", {"errcode": "M_UNKNOWN", "error": "later"}))
    alice.send(guest.room_id, "bad")
    whisper(alice, guest, "secret")
    until(lambda: remote.asked(SEND))
    taken = refusing(remote, lambda one: one.get("content", {}).get("body") == "bad")
    until(lambda: whispered(taken) == [{guest.user_id: {"D": {"body": "secret"}}}])


def test_a_refused_to_device_message_holds_up_no_other_and_is_kept(make_server, remote):
    server = make_server()
    alice = server.register()
    guest = Guest(remote, server, alice.create_room(preset="public_chat"))
    guest.join()
    taken = refusing(remote, lambda one: "bad" in str(one.get("content", {}).get("messages")))
    for body in ("bad", "good"):
        whisper(alice, guest, body)
    until(lambda: "good" in str(whispered(taken)))
    server.kill()
    taken = refusing(remote, lambda one: False)
    server.start()
    until(lambda: "bad" in str(whispered(taken)))


def test_after_an_outage_every_room_is_current_before_old_events_are_told(alpha, remote):
    alice = alpha.register()
    guests = [Guest(remote, alpha, alice.create_room(preset="public_chat")) for _ in range(8)]
    for guest in guests:
        guest.join()
    remote.answer(SEND, Reply("503 Busy", {"errcode": "M_UNKNOWN", "error": "away"}))
    newest = [[alice.send(guest.room_id, f"m{n}") for n in range(20)][-1] for guest in guests]
    remote.requests.clear()
    until(lambda: remote.asked(SEND))
    remote.requests.clear()
    remote.answer(SEND, {"pdus": {}})
    guests[0].call("GET", "/v1/query/profile?user_id=" + quote(alice.user_id))
    first = told(remote, newest[0], guests[0])[0]
    assert {guests[0].signed_id(pdu) for pdu in first.json["pdus"]} == set(newest)
    told(remote, alice.send(guests[0].room_id, "and on"), guests[0])
    assert sum(len(one.json["pdus"]) for one in remote.asked(SEND)) < 20


def test_a_start_is_announced_to_those_who_share_rooms(make_server, hearing):
    server = make_server()
    alice = server.register()
    guest = Guest(hearing, server, alice.create_room(preset="public_chat"))
    guest.join()
    told(hearing, alice.send(guest.room_id), guest)
    server.stop()
    hearing.requests.clear()
    server.start()
    until(lambda: hearing.asked(SEND))
