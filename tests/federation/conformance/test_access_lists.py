"""A server that the room's access list keeps out is refused at every endpoint that speaks of the room."""

from __future__ import annotations

import pytest

from tests.federation.conformance.conftest import refusal, segment

READING = ["state", "state_ids", "backfill", "event_auth", "get_missing_events", "event", "timestamp_to_event"]
DENYING = {"allow": ["*"], "deny": ["localhost"]}


def ask(guest, endpoint, event_id):
    """One of the reading endpoints."""
    room, event = segment(guest.room_id), segment(event_id)
    if endpoint == "get_missing_events":
        body = {"earliest_events": [], "latest_events": [event_id]}
        return guest.call("POST", f"/v1/get_missing_events/{room}", body)
    path = {
        "state": f"state/{room}?event_id={event}",
        "state_ids": f"state_ids/{room}?event_id={event}",
        "backfill": f"backfill/{room}?v={event}&limit=1",
        "event_auth": f"event_auth/{room}/{event}",
        "event": f"event/{event}",
        "timestamp_to_event": f"timestamp_to_event/{room}?ts=1&dir=f",
    }[endpoint]
    return guest.call("GET", f"/v1/{path}")


@pytest.fixture
def shut(shared):
    """A room whose list keeps the guest's server out, and an event of it."""
    alice, guest = shared
    event_id = alice.send(guest.room_id)
    assert {ask(guest, endpoint, event_id).status_code for endpoint in READING} == {200}
    alice.set_state(guest.room_id, "m.room.server_acl", DENYING)
    return alice, guest, event_id


@pytest.mark.parametrize("endpoint", READING)
def test_nothing_is_read(shut, endpoint):
    _, guest, event_id = shut
    assert refusal(ask(guest, endpoint, event_id)) == (403, "M_FORBIDDEN")


@pytest.mark.parametrize("what", ["join", "leave", "knock"])
def test_no_template_is_given(shut, what):
    assert refusal(shut[1].template(what)) == (403, "M_FORBIDDEN")


@pytest.mark.parametrize(
    ("what", "version"), [("join", "v1"), ("join", "v2"), ("leave", "v1"), ("leave", "v2"), ("knock", "v1")]
)
def test_no_membership_is_taken(shared, what, version):
    alice, guest = shared
    event_id, pdu = guest.member("leave")
    alice.set_state(guest.room_id, "m.room.server_acl", DENYING)
    pdu = {**pdu, "content": {"membership": what}}
    assert refusal(guest.send_member(what, event_id, pdu, version=version)) == (403, "M_FORBIDDEN")


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_no_invite_to_the_room_is_signed(alpha, shut, version):
    _, guest, _ = shut
    target = alpha.register().user_id
    event_id, pdu = guest.event({"membership": "invite"}, "m.room.member", state_key=target)
    create = guest.pdus[guest.state["m.room.create", ""]]
    body = {"event": pdu, "room_version": "12", "invite_room_state": [create]}
    path = f"/{version}/invite/{segment(guest.room_id)}/{segment(event_id)}"
    answer = guest.call("PUT", path, body if version == "v2" else pdu)
    assert answer.status_code in ((403,) if version == "v2" else (400, 403))


def test_its_events_are_refused_one_by_one(alice, shut, guest_of):
    _, guest, _ = shut
    open_room = guest_of(alice.create_room(preset="public_chat"))
    open_room.join()
    kept_out, other = guest.event("kept out"), open_room.event("let in")
    found = guest.transact(kept_out[1], other[1]).json()["pdus"]
    assert found[other[0]] == {}
    assert "access list" in found[kept_out[0]]["error"]


def test_its_typing_and_receipts_are_passed_over(alpha, shut):
    alice, guest, event_id = shut
    since = alice.sync()["next_batch"]
    typing = {"room_id": guest.room_id, "user_id": guest.user_id, "typing": True}
    receipt = {guest.room_id: {"m.read": {guest.user_id: {"event_ids": [event_id], "data": {"ts": 1}}}}}
    edus = [{"edu_type": "m.typing", "content": typing}, {"edu_type": "m.receipt", "content": receipt}]
    assert guest.transact(edus=edus).json() == {"pdus": {}}
    room = alice.sync(since).get("rooms", {}).get("join", {}).get(guest.room_id, {})
    assert room.get("ephemeral", {}).get("events", []) == []
