"""What time takes away: devices that nobody uses, and where they were used from."""

import pytest

from core.accounts.stale_devices import StaleDevices
from tests.unit.encryption.test_devices import DEHYDRATED, dehydrate

DAY = 24 * 3600 * 1000


@pytest.fixture
def stale(server):
    return StaleDevices(
        server.devices, server.sessions, server.last_seen, server.writer, 30 * DAY, 10 * DAY, server.clock
    )


def devices(person):
    return {device["device_id"]: device for device in person.ask("GET", "/devices")["devices"]}


def test_a_device_that_nobody_uses_is_signed_out_and_the_others_stay(server, alice, stale):
    old = alice.another()
    server.clock.ms += 31 * DAY
    alice.ask("GET", "/account/whoami")
    assert stale.remove() == 1
    assert old.refused("GET", "/account/whoami")[1]["errcode"] == "M_UNKNOWN_TOKEN"
    assert set(devices(alice)) == {alice.device_id}
    assert stale.remove() == 0


def test_a_dehydrated_device_is_spared(server, alice, stale):
    alice.ask("PUT", DEHYDRATED, dehydrate(alice, "SLEEPER"))
    server.clock.ms += 365 * DAY
    alice.ask("GET", "/account/whoami")
    assert stale.remove() == 0
    assert set(devices(alice)) == {alice.device_id, "SLEEPER"}


def test_a_dehydrated_device_does_not_give_way_to_new_sessions(server, alice):
    alice.ask("PUT", DEHYDRATED, dehydrate(alice, "SLEEPER"))
    server.clock.ms += DAY
    alice.another()
    found = server.writer.submit(
        lambda transaction: server.devices.longest_unseen_in(transaction, alice.requester.user_nid, 0)
    )
    assert server.devices.find(alice.requester.user_nid, "SLEEPER").device_nid not in found
    assert len(found) == 2


def test_addresses_are_forgotten_and_the_time_is_not(server, alice, stale):
    old, seen_ms = alice.another(), server.clock.ms
    server.last_seen.note(old.requester, "192.0.2.1", "js")
    server.last_seen.flush()
    server.clock.ms += 11 * DAY
    server.last_seen.note(alice.requester, "192.0.2.1", "js")
    server.last_seen.flush()
    assert stale.forget_addresses() == 1
    kept = {device.device_id: device for device in server.devices.of_user(alice.requester.user_nid)}
    forgotten, fresh = kept[old.device_id], kept[alice.device_id]
    assert (forgotten.last_seen_ms, forgotten.last_seen_ip, forgotten.last_seen_user_agent) == (seen_ms, None, None)
    assert (fresh.last_seen_ip, fresh.last_seen_user_agent) == ("192.0.2.1", "js")


def test_nothing_happens_where_nothing_is_configured(server, alice):
    never = StaleDevices(server.devices, server.sessions, server.last_seen, server.writer, None, None, server.clock)
    server.clock.ms += 1000 * DAY
    assert (never.remove(), never.forget_addresses()) == (0, 0)
