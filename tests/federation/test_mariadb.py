"""The same over MariaDB: a server whose data is there, and one on SQLite."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.federation.test_backfill import history
from tests.federation.test_transactions import arrived, sync_until

pytestmark = pytest.mark.mariadb


@pytest.fixture(scope="module")
def delta(make_server, mariadb):
    """A server on MariaDB."""
    with mariadb.schema() as settings:
        args = {"user": settings.user, "database": settings.database, "unix_socket": settings.unix_socket}
        server = make_server(database={"name": "mysql", "args": args})
        yield server
        server.stop()


def test_rooms_are_joined_and_talked_in_both_ways(alpha, delta):
    alice, bob = alpha.register(), delta.register()
    room_id = alice.create_room(preset="public_chat")
    for number in range(30):
        alice.send(room_id, f"m{number}")
    bob.post(f"/v3/join/{quote(room_id)}?via={alpha.name}", {})
    sync_until(bob, arrived(room_id, alice.send(room_id, "hello")))
    sync_until(alice, arrived(room_id, bob.send(room_id, "hello yourself")))
    assert history(bob, room_id) == history(alice, room_id)


def test_a_room_of_the_server_on_mariadb_is_joined_and_left(alpha, delta):
    alice, bob = alpha.register(), delta.register()
    room_id = bob.create_room(preset="private_chat")
    bob.post(f"/v3/rooms/{quote(room_id)}/invite", {"user_id": alice.user_id})
    alice.join(room_id)
    sync_until(bob, arrived(room_id, alice.send(room_id, "here")))
    alice.post(f"/v3/rooms/{quote(room_id)}/leave")
    path = f"/v3/rooms/{quote(room_id)}/state/m.room.member/{quote(alice.user_id)}"
    since = None
    while bob.get(path)["membership"] != "leave":
        since = bob.sync(since, timeout=500)["next_batch"]


def test_what_was_not_told_before_a_kill_is_told_after_it(alpha, delta):
    alice, bob = alpha.register(), delta.register()
    room_id = bob.create_room(preset="public_chat")
    alice.post(f"/v3/join/{quote(room_id)}?via={delta.name}", {})
    event_id = bob.send(room_id, "last words")
    delta.kill()
    delta.start()
    sync_until(alice, arrived(room_id, event_id), seconds=60)
