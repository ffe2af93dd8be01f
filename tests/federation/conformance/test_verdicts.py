"""Soft failure and rejection: who sees such events, and what may rest on them."""

from __future__ import annotations

from urllib.parse import quote

from tests.federation.conformance.conftest import refusal, segment
from tests.servers.watching import Watcher, state_content


def ids_seen(watcher, room_id):
    """What has come in the timeline."""
    return {one["event_id"] for one in watcher.timelines.get(room_id, ())}


def test_a_soft_failed_event_is_not_shown_and_what_follows_it_is(shared, guest_of):
    alice, guest = shared
    watcher, other = Watcher(alice), guest_of(guest.room_id, "second")
    other.join()
    fork = other.last
    other.at(fork)
    alice.post(f"/v3/rooms/{segment(guest.room_id)}/kick", {"user_id": guest.user_id})
    guest.last, guest.depth, guest.state = fork, other.depth, other.state
    late, pdu = guest.event("said before I knew of the kick")
    good, follower = other.event("after it", prev_events=[late], depth=guest.depth + 1)
    other.transact(pdu, follower)
    watcher.event(guest.room_id, good)
    assert late not in ids_seen(watcher, guest.room_id)
    path = f"/v3/rooms/{quote(guest.room_id)}/messages"
    assert late not in {one["event_id"] for one in alice.get(path, dir="b", limit=20)["chunk"]}
    assert state_content(alice, guest.room_id, "m.room.member", guest.user_id)["membership"] == "leave"


def test_our_next_event_does_not_follow_a_soft_failed_one(shared, guest_of):
    alice, guest = shared
    other = guest_of(guest.room_id, "second")
    other.join()
    fork = other.last
    other.at(fork)
    alice.post(f"/v3/rooms/{segment(guest.room_id)}/kick", {"user_id": guest.user_id})
    guest.last, guest.depth, guest.state = fork, other.depth, other.state
    late, pdu = guest.event("too late")
    marker = other.event("marker")
    other.transact(pdu, marker[1])
    Watcher(alice).event(guest.room_id, marker[0])
    sent = alice.send(guest.room_id, "next")
    (found,) = other.call("GET", f"/v1/event/{segment(sent)}").json()["pdus"]
    assert late not in found["prev_events"]


def test_a_rejected_event_is_shown_to_nobody_and_nothing_may_rest_on_it(shared):
    alice, guest = shared
    watcher = Watcher(alice)
    bad, rejected = guest.event({"displayname": "x", "membership": "join"}, "m.room.member", state_key="@a:else.org")
    auth = [*guest.proofs(), bad]
    resting, pdu = guest.event("rests on it", auth_events=auth)
    good, last = guest.event("after both")
    guest.transact(rejected, pdu, last)
    watcher.event(guest.room_id, good)
    assert not {bad, resting} & ids_seen(watcher, guest.room_id)
    for event_id in (bad, resting):
        assert refusal(guest.call("GET", f"/v1/event/{segment(event_id)}"))[0] == 404
        path = f"/v1/event_auth/{segment(guest.room_id)}/{segment(event_id)}"
        assert refusal(guest.call("GET", path))[0] == 404


def test_a_rejected_state_event_changes_no_state(shared):
    alice, guest = shared
    watcher = Watcher(alice)
    _, rejected = guest.event({"topic": "mine"}, "m.room.topic", state_key="")
    good, last = guest.event("after it")
    guest.transact(rejected, last)
    watcher.event(guest.room_id, good)
    assert state_content(alice, guest.room_id, "m.room.topic") is None


def test_unknown_and_broken_edus_stop_nothing(shared):
    alice, guest = shared
    watcher = Watcher(alice)
    edus = [{"edu_type": "org.unheard.of", "content": {}}, {"edu_type": 5}, "x", None, {"content": {}}]
    event_id, pdu = guest.event("beside them")
    body = {"origin": guest.remote.name, "origin_server_ts": 1, "pdus": [pdu, 5, None, "x"], "edus": edus}
    answer = guest.call("PUT", "/v1/send/odd", body)
    assert answer.json() == {"pdus": {event_id: {}}}
    watcher.event(guest.room_id, event_id)
