"""Encryption on both engines: what its stores promise where SQLite and MariaDB could differ, and with two workers."""

import gevent
import pytest

from tests.servers.encryption import Encryption
from tests.unit.encryption.model import Town
from tests.unit.encryption.test_key_backup import ROOM, create, key
from tests.unit.encryption.test_to_device import bodies, send_all


@pytest.fixture
def open_server(database_settings, tmp_path):
    opened = []

    def open_server():
        opened.append(Encryption(tmp_path, database=database_settings))
        return opened[-1]

    yield open_server
    for server in opened:
        server.close()


@pytest.fixture
def server(open_server):
    return open_server()


def test_two_workers_give_no_key_out_twice(open_server):
    first, second = open_server(), open_server()
    alice, bob = first.signed_in("alice"), first.signed_in("bob")
    alice.upload(60, fallback_keys=alice.device.fallback_key("F"))
    elsewhere = type(bob)(second, {"user_id": bob.user_id, "device_id": bob.device_id, "access_token": bob.token})
    jobs = [gevent.spawn((bob, elsewhere)[n % 2].claim, alice) for n in range(80)]
    gevent.joinall(jobs, timeout=60, raise_error=True)
    given = [key_id for job in jobs for key_id in job.value]
    once = [key_id for key_id in given if key_id != "signed_curve25519:F"]
    assert len(given) == 80
    assert len(once) == len(set(once)) == 60


def test_keys_of_many_devices_are_claimed_at_once(server):
    people = [server.signed_in(f"user{n}") for n in range(12)]
    for person in people[:10]:
        person.upload(1, fallback_keys=person.device.fallback_key("F"))
    wanted = {person.user_id: {person.device_id: "signed_curve25519"} for person in people}
    for expected in ("signed_curve25519:000000", "signed_curve25519:F"):
        found = people[0].ask("POST", "/keys/claim", {"one_time_keys": wanted})["one_time_keys"]
        assert len(found) == 10
        assert {key_id for devices in found.values() for keys in devices.values() for key_id in keys} == {expected}


def test_key_ids_are_told_apart_by_case_and_trailing_space(server):
    alice = server.signed_in("alice")
    keys = {f"signed_curve25519:{key_id}": alice.device.one_time_key() for key_id in ("A", "a", "a ")}
    assert alice.ask("POST", "/keys/upload", {"one_time_keys": keys})["one_time_key_counts"]["signed_curve25519"] == 3


@pytest.mark.parametrize("seed", [11, 12])
def test_device_lists_are_as_the_model_says(server, seed):
    town = Town(server, seed)
    for _ in range(30):
        town.step()
        town.snap()
    town.restart()
    for then in town.snapshots:
        for user in town.users:
            assert town.told(user, then, town.snapshots[-1]) == town.expected(user, then, town.snapshots[-1])


def test_a_long_queue_of_messages_drains_without_hole_or_double(server):
    alice, bob = server.signed_in("alice"), server.signed_in("bob")
    bob.sync()
    send_all(alice, bob, 120)
    assert bodies(bob.sync()) == list(range(100))
    send_all(alice, bob, 90, first=120)
    server.build()
    assert bodies(bob.sync()) == list(range(100, 200))
    assert bodies(bob.sync()) == list(range(200, 210))
    assert bodies(bob.sync()) == []
    assert server.database.value("SELECT COUNT(*) FROM to_device_messages") == 0
    assert server.database.value("SELECT COUNT(*) FROM log WHERE kind = 14") == 0


def test_another_workers_deliveries_are_not_repeated(open_server):
    first, second = open_server(), open_server()
    alice, bob = first.signed_in("alice"), first.signed_in("bob")
    elsewhere = type(bob)(second, {"user_id": bob.user_id, "device_id": bob.device_id, "access_token": bob.token})
    send_all(alice, bob, 2)
    assert bodies(bob.sync()) == [0, 1]
    send_all(alice, bob, 1, first=2)
    second.tail.feed([], first.tail.position)
    elsewhere.since = bob.since
    assert bodies(elsewhere.sync()) == [2]
    assert bodies(elsewhere.sync()) == []


def test_a_backup_keeps_the_better_copy_and_counts(server):
    alice = server.signed_in("alice")
    path = f"/room_keys/keys/{ROOM}/s?version={create(alice)}"
    for stored in (key(5, text="five"), key(3, text="three"), key(4, text="four")):
        answer = alice.ask("PUT", path, stored)
    assert answer["count"] == 1
    assert alice.ask("GET", path) == key(3, text="three")


def test_a_device_leaves_nothing_behind(server):
    alice = server.signed_in("alice")
    phone = alice.another()
    phone.upload(3, fallback_keys=phone.device.fallback_key("F"))
    send_all(alice, phone, 2)
    phone.ask("POST", "/logout")
    for table in ("device_keys", "one_time_keys", "fallback_keys", "to_device_messages"):
        assert server.database.value(f"SELECT COUNT(*) FROM {table}") == 0, table
