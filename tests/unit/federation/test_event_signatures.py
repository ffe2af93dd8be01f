"""The signatures of many events: which are dropped, and what it costs the hub."""

from __future__ import annotations

import time

import gevent
import pytest

from core.events.formats import parse_event
from core.events.room_versions import ROOM_VERSIONS
from core.events.server_keys import OldVerifyKey
from core.events.signatures import sign_event
from core.federation.event_signatures import EventSignatures
from tests.servers.remote import new_key
from tests.unit.federation.test_keyring import make_ring, notary

__all__ = ["make_ring", "notary"]


@pytest.fixture
def signatures(make_ring):
    """The checks, on a ring without notaries."""
    checks = EventSignatures(make_ring().ring)
    yield checks
    checks.close()


def message(remote, number=0, version="10", ts=None, key=None, sender=None):
    """A message signed by a remote server."""
    pdu = {
        "type": "m.room.message", "room_id": f"!r:{remote.name}", "sender": sender or f"@a:{remote.name}",
        "content": {"body": str(number)}, "depth": 1, "prev_events": [], "auth_events": [],
        "origin_server_ts": int(time.time() * 1000) if ts is None else ts,
    }  # fmt: skip
    room_version = ROOM_VERSIONS[version]
    signed = sign_event(pdu, room_version, remote.name, key or remote.signing_keys[0])
    return parse_event(signed, room_version)


def test_events_signed_by_their_senders_server_pass(signatures, remote):
    assert signatures.failures([message(remote, n) for n in range(100)]) == {}
    assert len(remote.requests) == 1


def test_of_many_only_the_forged_ones_fail(signatures, remote):
    events = [message(remote, n, key=new_key() if n % 10 == 3 else None) for n in range(60)]
    failures = signatures.failures(events)
    assert set(failures) == {events[n].event_id for n in range(60) if n % 10 == 3}
    assert all("is wrong" in sentence for sentence in failures.values())


def test_an_event_in_the_name_of_another_server_fails(signatures, remote):
    event = message(remote, sender="@victim:other.test")
    assert "other.test did not sign it" in signatures.failures([event])[event.event_id]


def test_an_event_of_a_server_whose_keys_nobody_has_fails(signatures, remote):
    remote.is_serving_keys = False
    event = message(remote)
    assert "No key is known" in signatures.failures([event])[event.event_id]


@pytest.mark.parametrize(
    ("version", "seconds_after", "passes"), [("10", -10, True), ("10", 10, False), ("4", 10, True)]
)
def test_an_old_key_counts_for_events_of_its_time(signatures, remote, version, seconds_after, passes):
    old, expired_ts = remote.signing_keys[0], int(time.time() * 1000) - 3_600_000
    remote.signing_keys = [new_key("b")]
    remote.old_keys = {"ed25519:a": OldVerifyKey(old.verify_key, expired_ts)}
    event = message(remote, version=version, ts=expired_ts + seconds_after * 1000, key=old)
    assert (not signatures.failures([event])) is passes


def test_an_event_from_after_the_keys_validity_fails(signatures, remote):
    event = message(remote, ts=int(time.time() * 1000) + 8 * 86_400_000)
    assert event.event_id in signatures.failures([event])


def test_the_hub_is_free_while_a_thousand_events_are_checked(signatures, remote):
    events, turns = [message(remote, n) for n in range(1000)], 0
    checking = gevent.spawn(signatures.failures, events)
    while not checking.ready():
        gevent.sleep(0.001)
        turns += 1
    assert checking.get() == {}
    assert turns >= 10
