"""What servers in a room are given of it, in which shape and up to which limit."""

from __future__ import annotations

import pytest

from tests.federation.conformance.conftest import refusal, segment


def get(guest, path):
    """A signed GET."""
    return guest.call("GET", f"/v1/{path}")


def bodies(pdus):
    """What messages say."""
    return [pdu["content"].get("body") for pdu in pdus]


@pytest.mark.parametrize("endpoint", ["state", "state_ids"])
def test_a_state_is_asked_for_at_an_event(shared, endpoint):
    _, guest = shared
    room = segment(guest.room_id)
    assert refusal(get(guest, f"{endpoint}/{room}")) == (400, "M_MISSING_PARAM")
    assert refusal(get(guest, f"{endpoint}/{room}?event_id=%24none")) == (404, "M_NOT_FOUND")


def test_a_state_is_that_before_the_event_and_its_chain_holds_what_it_rests_on(shared):
    alice, guest = shared
    room = segment(guest.room_id)
    topic = alice.set_state(guest.room_id, "m.room.topic", {"topic": "one"})
    found = get(guest, f"state_ids/{room}?event_id={segment(topic)}").json()
    assert found.keys() == {"pdu_ids", "auth_chain_ids"}
    assert topic not in found["pdu_ids"]
    whole = get(guest, f"state/{room}?event_id={segment(topic)}").json()
    assert whole.keys() == {"pdus", "auth_chain"}
    given = {guest.signed_id(one) for one in [*whole["pdus"], *whole["auth_chain"]]}
    assert {auth for one in whole["pdus"] for auth in one["auth_events"]} <= given


@pytest.mark.parametrize("version", ["11", "12"])
def test_an_auth_chain_is_that_of_the_event_without_itself(alice, guest_of, version):
    """From room version 12 on no event names the create event, on which all rest; the chain has it."""
    guest = guest_of(alice.create_room(preset="public_chat", room_version=version))
    guest.join()
    joined = guest.state["m.room.member", guest.user_id]
    chain = get(guest, f"event_auth/{segment(guest.room_id)}/{segment(joined)}").json()["auth_chain"]
    keys = {(one["type"], one["state_key"]) for one in chain}
    levels, rules = ("m.room.power_levels", ""), ("m.room.join_rules", "")
    assert keys == {("m.room.create", ""), levels, rules, ("m.room.member", alice.user_id)}


@pytest.mark.parametrize("version", ["11", "12"])
def test_the_create_event_rests_on_nothing(alice, guest_of, version):
    guest = guest_of(alice.create_room(preset="public_chat", room_version=version))
    guest.join()
    created = guest.state["m.room.create", ""]
    answer = get(guest, f"event_auth/{segment(guest.room_id)}/{segment(created)}")
    assert answer.json() == {"auth_chain": []}


@pytest.mark.parametrize("query", ["", "?limit=5", "?v=%24x", "?v=%24x&limit=none", "?v=%24x&limit=0"])
def test_history_is_asked_for_with_a_start_and_a_limit(shared, query):
    answer = get(shared[1], f"backfill/{segment(shared[1].room_id)}{query}")
    assert answer.status_code == 400


def test_history_begins_with_the_event_itself_and_keeps_to_the_limit(shared):
    alice, guest = shared
    events = [alice.send(guest.room_id, f"m{number}") for number in range(5)]
    found = get(guest, f"backfill/{segment(guest.room_id)}?v={segment(events[-1])}&limit=3").json()
    assert bodies(found["pdus"]) == ["m4", "m3", "m2"]
    assert found.keys() == {"origin", "origin_server_ts", "pdus"}


def test_history_of_an_event_that_is_not_here_is_empty_or_not_found(shared):
    answer = get(shared[1], f"backfill/{segment(shared[1].room_id)}?v=%24none&limit=3")
    assert answer.status_code == 404 or answer.json()["pdus"] == []


def test_a_hundred_events_at_most_come_at_once(shared):
    alice, guest = shared
    for number in range(105):
        last = alice.send(guest.room_id, f"m{number}")
    found = get(guest, f"backfill/{segment(guest.room_id)}?v={segment(last)}&limit=1000").json()
    assert len(found["pdus"]) == 100


def test_missing_events_are_ten_where_nothing_is_said(shared):
    alice, guest = shared
    events = [alice.send(guest.room_id, f"m{number}") for number in range(25)]
    path = f"/v1/get_missing_events/{segment(guest.room_id)}"
    body = {"earliest_events": [events[0]], "latest_events": [events[-1]]}
    found = guest.call("POST", path, body).json()
    assert bodies(found["events"]) == [f"m{number}" for number in range(14, 24)]
    assert len(guest.call("POST", path, {**body, "limit": 500}).json()["events"]) == 20


def test_missing_events_are_no_shallower_than_asked(shared):
    alice, guest = shared
    events = [alice.send(guest.room_id, f"m{number}") for number in range(5)]
    guest.at(events[3])
    body = {"earliest_events": [], "latest_events": [events[4]], "limit": 10, "min_depth": guest.depth}
    found = guest.call("POST", f"/v1/get_missing_events/{segment(guest.room_id)}", body).json()
    assert bodies(found["events"]) == ["m3"]


@pytest.mark.parametrize("body", [{}, {"earliest_events": []}, {"earliest_events": "x", "latest_events": []}])
def test_missing_events_are_asked_for_with_both_ends(shared, body):
    answer = shared[1].call("POST", f"/v1/get_missing_events/{segment(shared[1].room_id)}", body)
    assert answer.status_code == 400


@pytest.mark.parametrize("visibility", ["joined", "invited"])
def test_what_was_said_before_the_server_came_has_no_content(alice, guest_of, visibility):
    state = [{"type": "m.room.history_visibility", "state_key": "", "content": {"history_visibility": visibility}}]
    guest = guest_of(alice.create_room(preset="public_chat", initial_state=state))
    before = [alice.send(guest.room_id, f"secret{number}") for number in range(2)]
    guest.join()
    after = alice.send(guest.room_id, "open")
    room = segment(guest.room_id)
    assert bodies(get(guest, f"backfill/{room}?v={segment(after)}&limit=4").json()["pdus"]) == [
        "open",
        None,
        None,
        None,
    ]
    body = {"earliest_events": [], "latest_events": [after], "limit": 3}
    assert "secret1" not in bodies(guest.call("POST", f"/v1/get_missing_events/{room}", body).json()["events"])
    assert bodies(get(guest, f"event/{segment(before[0])}").json()["pdus"]) == [None]


def test_an_event_of_no_room_of_theirs_is_kept_from_a_server(alice, shared):
    _, guest = shared
    other = alice.send(alice.create_room(preset="public_chat"))
    assert get(guest, f"event/{segment(other)}").status_code in (403, 404)
    answer = get(guest, f"event_auth/{segment(guest.room_id)}/{segment(other)}")
    assert refusal(answer) == (404, "M_NOT_FOUND")


def test_keys_are_told_of_ones_own_users_alone(alpha, shared):
    _, guest = shared
    user = alpha.register().user_id
    body = {"device_keys": {user: [], "@other:else.org": []}}
    found = guest.call("POST", "/v1/user/keys/query", body).json()
    assert "@other:else.org" not in found["device_keys"]
    for wrong in ({}, {"device_keys": []}, {"device_keys": {user: "all"}}):
        assert refusal(guest.call("POST", "/v1/user/keys/query", wrong))[0] == 400


def test_devices_of_a_user_have_their_shape(alpha, shared):
    _, guest = shared
    user = alpha.register().user_id
    found = get(guest, f"user/devices/{segment(user)}").json()
    assert found["user_id"] == user
    assert type(found["stream_id"]) is int
    assert found["devices"] == []
    assert get(guest, f"user/devices/{segment('@other:else.org')}").status_code in (400, 403, 404)


@pytest.mark.parametrize(("method", "path", "status"), [
    ("GET", "/v1/unheard_of", 404), ("PUT", "/v3/send/x", 404), ("DELETE", "/v1/version", 405), ("POST", "/v1/send/x", 405),
])  # fmt: skip
def test_endpoints_that_there_are_not_are_unrecognized(shared, method, path, status):
    assert refusal(shared[1].call(method, path)) == (status, "M_UNRECOGNIZED")
