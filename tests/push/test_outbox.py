"""What is queued for pushers when something happens, seen in the database of a real server."""

from __future__ import annotations

import sqlite3
import time

import pytest

from tests.servers.trellis import Server

PUSHER = {
    "kind": "http",
    "app_id": "app",
    "pushkey": "key",
    "app_display_name": "App",
    "device_display_name": "Phone",
    "lang": "en",
    "data": {"url": "http://127.0.0.1:9/_matrix/push/v1/notify"},
}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("outbox")).start()
    yield server
    server.stop()


def queued(server, user, count):
    """(event id, tweaks) of what waits for a user's pushers, once there is so much."""
    sql = (
        "SELECT e.event_id, p.tweaks FROM pushes p JOIN pushers o ON o.pusher_nid = p.pusher_nid "
        "JOIN texts t ON t.text_nid = o.user_nid JOIN events e ON e.event_nid = p.event_nid WHERE t.text = ? ORDER BY push_nid"
    )
    deadline, rows = time.monotonic() + 10, []
    while time.monotonic() < deadline and len(rows) < count:
        with sqlite3.connect(f"file:{server.folder / 'hs.db'}?mode=ro", uri=True) as database:
            rows = database.execute(sql, (user.user_id,)).fetchall()
        time.sleep(0.02)
    return [(event_id, bytes(tweaks)) for event_id, tweaks in rows]


def test_what_notifies_a_user_is_queued_for_their_pusher(server):
    alice, bob, carol = (server.register() for _ in range(3))
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    carol.join(room)
    bob.post("/v3/pushers/set", PUSHER)
    bob.send(room)
    plain = alice.send(room)
    alice.send(room, {"msgtype": "m.notice", "body": "beep"})
    loud = alice.send(room, {"msgtype": "m.text", "body": "x", "m.mentions": {"user_ids": [bob.user_id]}})
    expected = [(plain, b"{}"), (loud, b'{"sound":"default","highlight":true}')]
    assert queued(server, bob, 2) == expected
    assert queued(server, carol, 0) == []


def test_an_invite_is_queued_and_nothing_else_of_a_room_one_is_not_in(server):
    alice, bob = server.register(), server.register()
    bob.post("/v3/pushers/set", {**PUSHER, "pushkey": "other"})
    room = alice.create_room(preset="private_chat", invite=[bob.user_id])
    alice.send(room)
    ((event_id, tweaks),) = queued(server, bob, 1)
    invite = alice.get(f"/v3/rooms/{room}/event/{event_id}")
    assert (invite["type"], invite["state_key"], tweaks) == ("m.room.member", bob.user_id, b'{"sound":"default"}')
