"""Transactions that another server sends: what gets into rooms, what does not, and what the sender is told."""

from __future__ import annotations

import time
from urllib.parse import quote

import pytest

from core.events.formats import parse_event
from core.events.signatures import sign_event
from tests.servers.guest_server import Guest
from tests.servers.hostile_room import Trap
from tests.servers.remote import Reply, new_key
from tests.servers.watching import Watcher


@pytest.fixture
def shared(alpha, remote):
    """A user of ours, and a guest, in a room."""
    alice = alpha.register()
    guest = Guest(remote, alpha, alice.create_room(preset="public_chat"))
    guest.join()
    return alice, guest


def sync_until(user, found, since=None, seconds=20):
    """Sync until `found(answer)` says something; that, and the token."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = user.sync(since, timeout=2000 if since else 0)
        since = answer["next_batch"]
        if said := found(answer):
            return said, since
    raise AssertionError("it was never synced")


def arrived(room_id, event_id):
    """For `sync_until`: the event in the room's timeline."""

    def found(answer):
        timeline = answer.get("rooms", {}).get("join", {}).get(room_id, {}).get("timeline", {}).get("events", [])
        return next((event for event in timeline if event["event_id"] == event_id), None)

    return found


def test_messages_of_another_server_arrive(shared):
    alice, guest = shared
    since = alice.sync()["next_batch"]
    sent = [guest.event(f"m{number}") for number in range(5)]
    assert guest.transact(*[pdu for _, pdu in sent]).json() == {"pdus": {event_id: {} for event_id, _ in sent}}
    event, _ = sync_until(alice, arrived(guest.room_id, sent[-1][0]), since)
    assert event["content"]["body"] == "m4"


def test_a_repeated_transaction_is_answered_alike_and_changes_nothing(shared):
    alice, guest = shared
    event_id, pdu = guest.event("once")
    answers = [guest.transact(pdu, txn_id="same").json() for _ in range(2)]
    assert answers[0] == answers[1] == {"pdus": {event_id: {}}}
    guest.transact(pdu, txn_id="another")
    sync_until(alice, arrived(guest.room_id, event_id))
    page = alice.get(f"/v3/rooms/{quote(guest.room_id)}/messages", dir="b", limit=5)["chunk"]
    assert [event["event_id"] for event in page].count(event_id) == 1


def test_missing_events_are_fetched(shared):
    alice, guest = shared
    lost = [guest.event(f"lost{number}") for number in range(3)]
    event_id, pdu = guest.event("last")
    path = f"/_matrix/federation/v1/get_missing_events/{quote(guest.room_id, safe='')}"
    guest.remote.answer(path, {"events": [one for _, one in lost]})
    guest.transact(pdu)
    sync_until(alice, arrived(guest.room_id, event_id))
    page = alice.get(f"/v3/rooms/{quote(guest.room_id)}/messages", dir="b", limit=4)["chunk"]
    assert [event["content"]["body"] for event in page] == ["last", "lost2", "lost1", "lost0"]


def test_an_event_waits_for_a_server_that_does_not_answer_now(shared):
    alice, guest = shared
    lost = guest.event("lost")
    event_id, pdu = guest.event("last")
    path = f"/_matrix/federation/v1/get_missing_events/{quote(guest.room_id, safe='')}"
    busy = [Reply("502 Bad Gateway")] * 4
    guest.remote.answer(path, lambda _: busy.pop() if busy else {"events": [lost[1]]})
    guest.transact(pdu)
    sync_until(alice, arrived(guest.room_id, event_id), seconds=40)
    page = alice.get(f"/v3/rooms/{quote(guest.room_id)}/messages", dir="b", limit=2)["chunk"]
    assert [event["content"]["body"] for event in page] == ["last", "lost"]


def test_what_was_before_our_own_time_in_the_room_is_not_taken_for_news(beta, remote):
    """The other server answers with all it has, back to the beginning."""
    host, bob = Trap(remote), beta.register()
    assert host.spring(bob) is None
    old = host.event("m.room.topic", {"topic": "old"}, host.state, "", depth=2)
    path = f"/_matrix/federation/v1/get_missing_events/{quote(host.room_id, safe='')}"
    remote.answer(path, {"events": [*host.state, old]})
    remote.answer(
        f"/_matrix/federation/v1/state_ids/{quote(host.room_id, safe='')}",
        {"pdu_ids": [host.id_of(one) for one in host.state], "auth_chain_ids": []},
    )
    levels = [host.create, host.member, host.levels]
    news = host.event("m.room.name", {"name": "new"}, levels, "", depth=50, prev_events=[host.id_of(old)])
    body = {"origin": remote.name, "origin_server_ts": 1, "pdus": [news]}
    remote.call(beta.base, beta.name, "PUT", "/_matrix/federation/v1/send/t1", body)
    watcher = Watcher(bob)
    watcher.state(host.room_id, "m.room.name", "", lambda content: content["name"] == "new")
    (asked,) = remote.asked(path)
    assert asked.json["min_depth"] == 9
    seen = [one["type"] for one in watcher.timelines[host.room_id]]
    assert "m.room.topic" not in seen


def test_past_a_gap_that_cannot_be_filled_the_state_is_fetched(shared):
    alice, guest = shared
    guest.event("never to be had")
    topic = guest.event({"displayname": "New"}, "m.room.member", state_key=guest.user_id)
    guest.event("lost as well")
    renamed, pdu = guest.signed({**topic[1], "content": {"membership": "join", "displayname": "New"}})
    state = {**guest.state, ("m.room.member", guest.user_id): renamed}
    chain = [event_id for event_id in guest.state.values() if event_id != renamed]
    guest.pdus[renamed] = pdu
    base, room = "/_matrix/federation/v1", quote(guest.room_id, safe="")
    guest.remote.answer(f"{base}/get_missing_events/{room}", {"events": []})
    guest.remote.answer(f"{base}/state_ids/{room}", {"pdu_ids": list(state.values()), "auth_chain_ids": chain})
    guest.remote.answer(f"{base}/event/{quote(renamed, safe='')}", {"pdus": [pdu]})
    event_id, last = guest.event("after the gap")
    guest.transact(last)
    sync_until(alice, arrived(guest.room_id, event_id))
    assert guest.remote.asked(f"{base}/state_ids/")


def test_an_event_whose_past_is_not_to_be_had_is_dropped_and_the_room_goes_on(shared):
    alice, guest = shared
    before = guest.last
    guest.event("lost")
    orphan, pdu = guest.event("orphan")
    assert guest.transact(pdu).json() == {"pdus": {orphan: {}}}
    guest.last = before
    event_id, good = guest.event("good")
    guest.transact(good)
    sync_until(alice, arrived(guest.room_id, event_id))
    assert alice.get(f"/v3/rooms/{quote(guest.room_id)}/messages", dir="b", limit=1)["chunk"][0]["event_id"] == event_id


def forged(guest, kind):
    """An event that must not get in, and what is said of it."""
    event_id, pdu = guest.event("forged")
    if kind == "signature":
        stripped = {key: value for key, value in pdu.items() if key not in ("signatures", "hashes")}
        pdu = sign_event(stripped, guest.version, guest.remote.name, new_key())
        event_id = parse_event(pdu, guest.version).event_id
    elif kind == "unsigned":
        pdu = {**pdu, "signatures": {}}
    elif kind == "oversized":
        event_id, pdu = guest.event("x" * 70_000)
    elif kind == "format":
        event_id, pdu = guest.event("x", depth="deep")
    return event_id, pdu


@pytest.mark.parametrize("kind", ["signature", "unsigned"])
def test_a_forged_event_is_refused_and_the_next_gets_in(shared, kind):
    alice, guest = shared
    before = guest.last
    event_id, pdu = forged(guest, kind)
    guest.last = before
    good = guest.event("good")
    answer = guest.transact(pdu, good[1]).json()["pdus"]
    assert answer[good[0]] == {}
    assert "error" in answer[event_id]
    sync_until(alice, arrived(guest.room_id, good[0]))


def test_an_event_whose_content_was_changed_comes_in_redacted(shared):
    alice, guest = shared
    event_id, pdu = guest.event("said")
    guest.transact({**pdu, "content": {"msgtype": "m.text", "body": "never said"}})
    event, _ = sync_until(alice, arrived(guest.room_id, event_id))
    assert event["content"] == {}


def test_an_event_that_the_rules_forbid_is_shown_to_nobody(shared):
    alice, guest = shared
    bad, pdu = guest.event({"name": "Mine"}, "m.room.name", state_key="")
    good = guest.event("good")
    guest.transact(pdu, good[1])
    sync_until(alice, arrived(guest.room_id, good[0]))
    state = alice.get(f"/v3/rooms/{quote(guest.room_id)}/state")
    assert bad not in {event["event_id"] for event in state}


def test_one_rooms_trouble_is_told_and_fails_nothing_else(shared):
    alice, guest = shared
    event_id, pdu = guest.event("good")
    elsewhere = {**pdu, "room_id": "!elsewhere:else.org", "event_id": "$elsewhere"}
    answer = guest.transact(elsewhere, {"room_id": guest.room_id}, {"no": "room"}, pdu)
    assert answer.status_code == 200
    assert answer.json()["pdus"][event_id] == {}
    assert "error" in answer.json()["pdus"]["$elsewhere"]
    sync_until(alice, arrived(guest.room_id, event_id))


def test_an_access_list_keeps_events_out(shared):
    alice, guest = shared
    event_id, pdu = guest.event("kept out")
    alice.set_state(guest.room_id, "m.room.server_acl", {"allow": ["*"], "deny": ["localhost"]})
    assert "access list" in guest.transact(pdu).json()["pdus"][event_id]["error"]


@pytest.mark.parametrize("body", [{"pdus": [{}] * 51}, {"pdus": [], "edus": [{}] * 101}, {"pdus": {}}])
def test_a_transaction_has_limits(shared, body):
    answer = shared[1].call("PUT", "/v1/send/limits", body)
    assert (answer.status_code, answer.json()["errcode"]) == (400, "M_BAD_JSON")


def test_staged_events_survive_a_kill(make_server, remote):
    server = make_server()
    alice = server.register()
    guest = Guest(remote, server, alice.create_room(preset="public_chat"))
    guest.join()
    sent = [guest.event(f"m{number}") for number in range(20)]
    assert guest.transact(*[pdu for _, pdu in sent]).status_code == 200
    server.kill()
    server.start()
    sync_until(alice, arrived(guest.room_id, sent[-1][0]))
    page = alice.get(f"/v3/rooms/{quote(guest.room_id)}/messages", dir="b", limit=20)["chunk"]
    assert [event["event_id"] for event in reversed(page)] == [event_id for event_id, _ in sent]


def ephemeral(room_id, type_):
    """For `sync_until`: the content of an ephemeral event in the room."""

    def found(answer):
        events = answer.get("rooms", {}).get("join", {}).get(room_id, {}).get("ephemeral", {}).get("events", [])
        return next((event["content"] for event in events if event["type"] == type_), None)

    return found


def test_typing_of_another_server_is_shown(shared):
    alice, guest = shared
    since = alice.sync()["next_batch"]
    content = {"room_id": guest.room_id, "user_id": guest.user_id, "typing": True}
    guest.transact(edus=[{"edu_type": "m.typing", "content": content}])
    said, _ = sync_until(alice, ephemeral(guest.room_id, "m.typing"), since)
    assert said == {"user_ids": [guest.user_id]}


def test_receipts_of_another_server_are_shown(shared):
    alice, guest = shared
    event_id, since = alice.send(guest.room_id), alice.sync()["next_batch"]
    receipt = {"data": {"ts": 5}, "event_ids": [event_id]}
    content = {guest.room_id: {"m.read": {guest.user_id: receipt}}}
    guest.transact(edus=[{"edu_type": "m.receipt", "content": content}])
    said, _ = sync_until(alice, ephemeral(guest.room_id, "m.receipt"), since)
    assert said == {event_id: {"m.read": {guest.user_id: {"ts": 5}}}}


def test_messages_to_devices_arrive_once(shared):
    alice, guest = shared
    content = {"sender": guest.user_id, "type": "m.test", "message_id": "m1"}
    content["messages"] = {alice.user_id: {alice.device_id: {"key": "value"}}}
    for _ in range(2):
        guest.transact(edus=[{"edu_type": "m.direct_to_device", "content": content}])
    events = alice.sync()["to_device"]["events"]
    assert events == [{"sender": guest.user_id, "type": "m.test", "content": {"key": "value"}}]


def test_a_changed_device_list_is_told(shared):
    alice, guest = shared
    since = alice.sync()["next_batch"]
    content = {"user_id": guest.user_id, "device_id": "D", "stream_id": 1}
    guest.transact(edus=[{"edu_type": "m.device_list_update", "content": content}])
    changed, _ = sync_until(alice, lambda answer: answer.get("device_lists", {}).get("changed"), since)
    assert changed == [guest.user_id]


@pytest.mark.parametrize(
    "edu",
    [
        {},
        7,
        {"edu_type": "m.typing", "content": {"room_id": 5, "user_id": "@a:b"}},
        {"edu_type": "m.typing", "content": {"user_id": 5}},
        {"edu_type": "m.receipt", "content": {"!none:else.org": {}}},
        {"edu_type": "m.direct_to_device", "content": {"sender": "@a:else.org"}},
        {"edu_type": "m.device_list_update", "content": {"user_id": "@a:else.org"}},
        {"edu_type": "m.unknown", "content": {}},
    ],
)
def test_an_edu_that_makes_no_sense_is_passed_over(shared, edu):
    assert shared[1].transact(edus=[edu]).json() == {"pdus": {}}


def test_an_event_without_prev_events_holds_up_nothing(shared):
    alice, guest = shared
    last = guest.last
    _, first = guest.event("first of all", prev_events=[])
    guest.last = last
    guest.transact(first)
    event_id, pdu = guest.event("after it")
    guest.transact(pdu)
    sync_until(alice, arrived(guest.room_id, event_id))
