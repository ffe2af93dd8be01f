"""Rooms that show every event to a policy server before it is sent: a fake one, and one of ours."""

from __future__ import annotations

from urllib.parse import quote

import gevent
import pytest
import requests

from core.events import unpadded_base64
from core.events.room_versions import ROOM_VERSIONS
from core.events.signatures import SigningKey, add_signature, format_signing_key, signatures_of
from tests.federation.test_transactions import arrived, sync_until
from tests.servers.guest_server import Guest
from tests.servers.remote import Reply
from tests.servers.trellis import Refused

SIGN = "/_matrix/policy/v1/sign"
KEY = SigningKey("ed25519:policy_server", b"p" * 32)
PUBLIC = unpadded_base64.encode(bytes(KEY.verify_key))


def signature(remote, pdu):
    """The fake's recommendation."""
    signed = add_signature(pdu, ROOM_VERSIONS["12"], remote.name, KEY)
    return {remote.name: {KEY.key_id: signatures_of(signed, remote.name)[KEY.key_id]}}


def judging(remote):
    """Have the fake recommend what does not say spam."""

    def answer(seen):
        if seen.json["content"].get("body") == "spam":
            return Reply("400 Bad", {"errcode": "M_FORBIDDEN", "error": "That is spam"})
        return signature(remote, seen.json)

    remote.answer(SIGN, answer)


@pytest.fixture
def guarded(alpha, remote):
    """A user of ours and a guest in a room that the guest's server guards."""
    alice = alpha.register()
    guest = Guest(remote, alpha, alice.create_room(preset="public_chat", room_version="12"))
    guest.join()
    judging(remote)
    content = {"via": remote.name, "public_keys": {"ed25519": PUBLIC}}
    event_id = alice.set_state(guest.room_id, "m.room.policy", content)
    guest.state["m.room.policy", ""] = event_id
    return alice, guest


def test_an_event_of_ours_is_sent_with_the_signature(guarded, remote):
    alice, guest = guarded
    event_id = alice.send(guest.room_id, "hello")
    path = f"/v1/event/{quote(event_id, safe='')}"
    (pdu,) = guest.call("GET", path).json()["pdus"]
    assert pdu["signatures"][remote.name] == signature(remote, pdu)[remote.name]
    assert "m.room.policy" not in [seen.json["type"] for seen in remote.asked(SIGN)]


def test_a_request_that_is_repeated_sends_once(guarded):
    alice, guest = guarded
    path = f"/v3/rooms/{quote(guest.room_id)}/send/m.room.message/same"
    first, second = (alice.put(path, {"msgtype": "m.text", "body": "once"})["event_id"] for _ in range(2))
    assert first == second


def test_requests_that_are_the_same_and_come_at_once_send_once(guarded, remote):
    alice, guest = guarded
    path = f"/v3/rooms/{quote(guest.room_id)}/send/m.room.message/same"

    def answer_slowly(seen):
        gevent.sleep(0.5)  # the other request arrives meanwhile
        return signature(remote, seen.json)

    remote.answer(SIGN, answer_slowly)
    content = {"msgtype": "m.text", "body": "once"}
    sending = [gevent.spawn(alice.put, path, content) for _ in range(3)]
    gevent.joinall(sending, timeout=30)
    assert len({one.value["event_id"] for one in sending}) == 1


def test_what_is_refused_is_not_sent_and_the_reason_told(guarded):
    alice, guest = guarded
    with pytest.raises(Refused) as caught:
        alice.send(guest.room_id, "spam")
    assert (caught.value.status, caught.value.errcode) == (400, "M_FORBIDDEN")
    assert "That is spam" in str(caught.value)


def test_a_policy_server_that_left_is_not_asked(guarded, remote):
    alice, guest = guarded
    alice.post(f"/v3/rooms/{quote(guest.room_id)}/kick", {"user_id": guest.user_id})
    asked = len(remote.asked(SIGN))
    alice.send(guest.room_id, "spam")
    assert len(remote.asked(SIGN)) == asked


def test_an_event_of_others_without_recommendation_is_not_shown(guarded):
    alice, guest = guarded
    spam, bad = guest.event("spam")
    fine, good = guest.event("fine")
    guest.transact(bad, good)
    sync_until(alice, arrived(guest.room_id, fine))
    shown = alice.get(f"/v3/rooms/{quote(guest.room_id)}/messages", dir="b", limit=50)["chunk"]
    assert spam not in {event["event_id"] for event in shown}


@pytest.fixture(scope="module")
def judge(make_server, tmp_path_factory):
    """A server of ours that is a policy server."""
    path = tmp_path_factory.mktemp("policy") / "policy.key"
    path.write_text(format_signing_key(KEY))
    return make_server(policy_server_signing_key_path=str(path))


def test_a_server_of_ours_recommends_events_for_rooms_that_name_it(alpha, judge):
    alice, watcher = alpha.register(), judge.register()
    keys = requests.get(f"{judge.base}/.well-known/matrix/policy_server", timeout=10).json()["public_keys"]
    room_id = alice.create_room(preset="public_chat")
    watcher.post(f"/v3/join/{quote(room_id)}?via={alpha.name}", {})
    alice.set_state(room_id, "m.room.policy", {"via": judge.name, "public_keys": keys})
    sync_until(watcher, lambda answer: _has_policy(watcher, room_id))
    event_id = alice.send(room_id, "hello")
    sync_until(watcher, arrived(room_id, event_id))
    sync_until(alice, arrived(room_id, watcher.send(room_id, "hello yourself")))


def _has_policy(user, room_id):
    return any(event["type"] == "m.room.policy" for event in user.get(f"/v3/rooms/{quote(room_id)}/state"))


def test_a_server_that_is_none_says_so(alpha, judge, remote):
    assert requests.get(f"{alpha.base}/.well-known/matrix/policy_server", timeout=10).status_code == 404
    answer = remote.call(alpha.base, alpha.name, "POST", SIGN, {"type": "m.room.message"})
    assert (answer.status_code, answer.json()["errcode"]) == (404, "M_UNRECOGNIZED")
    answer = remote.call(judge.base, judge.name, "POST", SIGN, {"room_id": "!none:example.org"})
    assert (answer.status_code, answer.json()["errcode"]) == (404, "M_NOT_FOUND")
