"""History that is missing here comes from the other servers of a room."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from urllib.parse import quote

import pytest

from tests.federation.test_senders import until
from tests.federation.test_transactions import arrived, sync_until
from tests.servers.guest_server import Guest

FEDERATION = "/_matrix/federation/v1"


@pytest.fixture
def alice(alpha):
    """A user of the server where rooms begin."""
    return alpha.register()


def history(user, room_id, page=50):
    """The ids of all events of a room, newest first, page by page."""
    found, start = [], None
    while True:
        query = {"dir": "b", "limit": page} | ({"from": start} if start else {})
        answer = user.get(f"/v3/rooms/{quote(room_id)}/messages", **query)
        found += [event["event_id"] for event in answer["chunk"]]
        start = answer.get("end")
        if start is None:
            return found


def test_what_was_said_before_the_join_is_there(alpha, beta, alice):
    room_id, bob = alice.create_room(preset="public_chat"), beta.register()
    for number in range(120):
        alice.send(room_id, f"m{number}")
    bob.post(f"/v3/join/{quote(room_id)}?via={alpha.name}", {})
    expected = history(alice, room_id)
    assert history(bob, room_id) == expected
    assert history(bob, room_id, page=7) == expected


def test_what_was_said_while_the_server_was_away_is_there(alpha, make_server, alice):
    gamma = make_server()
    bob, room_id = gamma.register(), alice.create_room(preset="public_chat")
    bob.post(f"/v3/join/{quote(room_id)}?via={alpha.name}", {})
    gamma.kill()
    carol = alpha.register()
    carol.join(room_id)
    for number in range(90):
        carol.send(room_id, f"m{number}")
    gamma.start()
    sync_until(bob, arrived(room_id, alice.send(room_id, "back")))
    deadline, expected = time.monotonic() + 20, set(history(alice, room_id))
    while set(history(bob, room_id)) != expected:
        assert time.monotonic() < deadline, "the gap stays"
        time.sleep(0.2)


def gaps(server):
    """How many events' histories are missing in a server's database."""
    with closing(sqlite3.connect(f"file:{server.folder / 'hs.db'}?mode=ro", uri=True)) as database:
        return database.execute("SELECT COUNT(*) FROM backward_extremities").fetchone()[0]


def test_a_server_that_was_killed_after_a_join_still_fetches_what_was_said_before(alpha, make_server, alice):
    delta, room_id = make_server(), alice.create_room(preset="public_chat")
    delta.register().join(room_id, via=alpha.name)
    delta.kill()
    assert gaps(delta) == 1
    delta.start()
    until(lambda: gaps(delta) == 0)


@pytest.fixture
def lone(alpha, remote, alice):
    """A guest whose server has an event that nothing in the room leads to; the guest, its id and the PDU."""
    guest = Guest(remote, alpha, alice.create_room(preset="public_chat"))
    guest.join()
    last, depth = guest.last, guest.depth
    event_id, pdu = guest.event("lone")
    guest.last, guest.depth = last, depth
    remote.answer(f"{FEDERATION}/event/", lambda seen: {"origin": "x", "origin_server_ts": 1, "pdus": [pdu]})
    return guest, event_id, pdu


def test_an_event_that_is_only_known_elsewhere_is_shown(alice, lone):
    guest, event_id, _ = lone
    path = f"/v3/rooms/{quote(guest.room_id)}"
    assert alice.get(f"{path}/event/{quote(event_id)}")["content"]["body"] == "lone"
    assert alice.get(f"{path}/context/{quote(event_id)}")["event"]["event_id"] == event_id


def test_an_event_that_nobody_has_is_asked_for_once(alice, lone, remote):
    guest, _, _ = lone
    remote.answer(f"{FEDERATION}/event/", {"origin": "x", "origin_server_ts": 1, "pdus": []})
    for _ in range(3):
        with pytest.raises(Exception, match="no event"):
            alice.get(f"/v3/rooms/{quote(guest.room_id)}/event/{quote('$' + 'a' * 43)}")
    assert len(remote.asked(f"{FEDERATION}/event/")) == 1


def test_a_date_leads_to_an_event_that_is_only_known_elsewhere(alpha, alice, lone, remote):
    guest, event_id, pdu = lone
    state = {"pdu_ids": list(guest.state.values()), "auth_chain_ids": []}
    remote.answer(f"{FEDERATION}/state_ids/", state)
    remote.answer(f"{FEDERATION}/get_missing_events/", {"events": []})
    remote.answer(f"{FEDERATION}/backfill/", {"pdus": []})
    ts = pdu["origin_server_ts"]
    remote.answer(f"{FEDERATION}/timestamp_to_event/", {"event_id": event_id, "origin_server_ts": ts})
    while time.time() * 1000 <= ts + 1:  # else both events have the same time
        time.sleep(0.001)
    behind, late = guest.event("behind", prev_events=["$" + "b" * 43])
    guest.transact(late)
    sync_until(alice, arrived(guest.room_id, behind))
    path = f"/v1/rooms/{quote(guest.room_id)}/timestamp_to_event"
    assert alice.get(path, ts=ts, dir="b")["event_id"] == event_id
