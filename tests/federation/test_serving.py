"""What a server in a room of ours can read of it."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.servers.guest_server import Guest


@pytest.fixture
def shared(alpha, remote):
    """A user of ours, and a guest, in a room."""
    alice = alpha.register()
    guest = Guest(remote, alpha, alice.create_room(preset="public_chat"))
    guest.join()
    return alice, guest


def read(guest, what, *segments, **query):
    """One of the reading endpoints."""
    path = "/".join(quote(one, safe="") for one in segments)
    asked = "&".join(f"{key}={quote(str(value), safe='')}" for key, value in query.items())
    return guest.call("GET", f"/v1/{what}/{path}" + (f"?{asked}" if asked else ""))


def bodies(pdus):
    """What messages say."""
    return [pdu["content"].get("body") for pdu in pdus]


def test_an_event_is_served(shared):
    alice, guest = shared
    event_id = alice.send(guest.room_id, "hello")
    (pdu,) = read(guest, "event", event_id).json()["pdus"]
    assert pdu["content"]["body"] == "hello"
    assert read(guest, "event", "$none").status_code == 404


def test_the_state_before_an_event_is_served_with_its_auth_chain(shared):
    alice, guest = shared
    alice.set_state(guest.room_id, "m.room.topic", {"topic": "one"})
    event_id = alice.send(guest.room_id, "hello")
    alice.set_state(guest.room_id, "m.room.topic", {"topic": "two"})
    found = read(guest, "state", guest.room_id, event_id=event_id).json()
    ids = read(guest, "state_ids", guest.room_id, event_id=event_id).json()
    assert [pdu["content"] for pdu in found["pdus"] if pdu["type"] == "m.room.topic"] == [{"topic": "one"}]
    assert len(ids["pdu_ids"]) == len(found["pdus"])
    assert len(ids["auth_chain_ids"]) == len(found["auth_chain"])


def test_the_auth_chain_of_an_event_is_served(shared):
    alice, guest = shared
    chain = read(guest, "event_auth", guest.room_id, alice.send(guest.room_id)).json()["auth_chain"]
    assert {pdu["type"] for pdu in chain} >= {"m.room.power_levels", "m.room.member"}


def test_history_is_served_newest_first(shared):
    alice, guest = shared
    event_ids = [alice.send(guest.room_id, f"m{number}") for number in range(4)]
    found = read(guest, "backfill", guest.room_id, v=event_ids[-1], limit=3).json()["pdus"]
    assert bodies(found) == ["m3", "m2", "m1"]


def test_what_lies_between_is_served_oldest_first(shared):
    alice, guest = shared
    event_ids = [alice.send(guest.room_id, f"m{number}") for number in range(5)]
    body = {"earliest_events": [event_ids[0]], "latest_events": [event_ids[4]], "limit": 10}
    path = f"/v1/get_missing_events/{quote(guest.room_id)}"
    assert bodies(guest.call("POST", path, body).json()["events"]) == ["m1", "m2", "m3"]
    assert bodies(guest.call("POST", path, {**body, "limit": 1}).json()["events"]) == ["m3"]


def test_what_was_said_among_members_before_is_served_without_its_words(alpha, remote):
    alice = alpha.register()
    visibility = {"type": "m.room.history_visibility", "state_key": "", "content": {"history_visibility": "joined"}}
    room_id = alice.create_room(preset="public_chat", initial_state=[visibility])
    before = alice.send(room_id, "secret")
    guest = Guest(remote, alpha, room_id)
    guest.join()
    assert bodies(read(guest, "event", before).json()["pdus"]) == [None]
    after = alice.send(room_id, "public")
    found = read(guest, "backfill", room_id, v=after, limit=3).json()["pdus"]
    assert bodies(found) == ["public", None, None]


def test_an_event_is_found_by_time(shared):
    alice, guest = shared
    event_id = alice.send(guest.room_id)
    found = read(guest, "timestamp_to_event", guest.room_id, ts=2**45, dir="b").json()
    assert found["event_id"] == event_id
    assert read(guest, "timestamp_to_event", guest.room_id, ts=2**45, dir="f").status_code == 404


def test_a_server_that_is_not_in_the_room_reads_nothing(alpha, remote):
    alice = alpha.register()
    room_id = alice.create_room(preset="public_chat")
    guest = Guest(remote, alpha, room_id)
    event_id = alice.send(room_id)
    answers = [
        read(guest, "event", event_id),
        read(guest, "state", room_id, event_id=event_id),
        read(guest, "state_ids", room_id, event_id=event_id),
        read(guest, "event_auth", room_id, event_id),
        read(guest, "backfill", room_id, v=event_id, limit=1),
        read(guest, "timestamp_to_event", room_id, ts=1, dir="f"),
        guest.call("POST", f"/v1/get_missing_events/{quote(room_id)}", {"earliest_events": [], "latest_events": []}),
    ]
    assert {answer.status_code for answer in answers} == {403}


def test_what_an_erased_user_sent_is_redacted_for_servers_that_came_later(alpha, remote):
    alice, bob = alpha.register(), alpha.register()
    room_id = alice.create_room(preset="public_chat")
    bob.join(room_id)
    early = bob.send(room_id, "early")
    guest = Guest(remote, alpha, room_id)
    guest.join()
    late = bob.send(room_id, "late")
    password = {"type": "m.login.password", "password": "pässword"}
    bob.post("/v3/account/deactivate", {"erase": True, "auth": password})
    last = alice.send(room_id, "end")
    assert bodies(read(guest, "event", early).json()["pdus"]) == [None]
    assert bodies(read(guest, "event", late).json()["pdus"]) == ["late"]
    found = read(guest, "backfill", room_id, v=last, limit=20).json()["pdus"]
    assert [body for body in bodies(found) if body] == ["end", "late"]
    between = {"earliest_events": [], "latest_events": [late], "limit": 20}
    missing = guest.call("POST", f"/v1/get_missing_events/{quote(room_id)}", between).json()["events"]
    assert "early" not in bodies(missing)
