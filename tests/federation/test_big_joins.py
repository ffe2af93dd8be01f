"""Joins of rooms with many members: others are served meanwhile, and a crash leaves nothing behind."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from urllib.parse import quote

import gevent
import pytest

from tests.servers.hosted_room import HostedRoom
from tests.servers.pinging import pinging
from tests.servers.trellis import Refused

MEMBERS = 1_500


def join(user, room):
    """Join the hosted room."""
    user.post(f"/v3/join/{quote(room.room_id)}?via={room.remote.name}", {})


def joined(user, room):
    """How many are in the room, as the user's server knows it."""
    return len(user.get(f"/v3/rooms/{quote(room.room_id)}/joined_members")["joined"])


def stored_events(server):
    """How many events the server's database has."""
    with closing(sqlite3.connect(f"file:{server.folder / 'hs.db'}?mode=ro", uri=True)) as database:
        return database.execute("SELECT COUNT(*) FROM events").fetchone()[0]


def test_a_join_that_was_killed_can_be_made_again(make_server, remote):
    server, room = make_server(), HostedRoom(remote, MEMBERS)
    room.answer()
    alice = server.register()
    joining = gevent.spawn(join, alice, room)
    while stored_events(server) == 0:
        gevent.sleep(0.01)
    server.kill()
    joining.join()
    assert 0 < stored_events(server) < MEMBERS
    server.start()
    with pytest.raises(Refused):
        joined(alice, room)
    join(alice, room)
    assert joined(alice, room) == MEMBERS + 2


@pytest.mark.soak
def test_others_are_served_while_a_room_of_10000_is_joined(alpha, remote):
    room = HostedRoom(remote, 10_000)
    room.answer()
    alice, bob = alpha.register(), alpha.register()
    begun = time.monotonic()
    with pinging(bob) as slowest:
        join(alice, room)
    print(f"joined in {time.monotonic() - begun:.1f} s, slowest other answer {slowest[0] * 1000:.0f} ms")
    assert joined(alice, room) == 10_002
    assert slowest[0] < 0.5
