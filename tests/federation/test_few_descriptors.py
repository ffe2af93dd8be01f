"""A server that may open few files still reaches many others, and its clients notice nothing."""

from __future__ import annotations

import time

import gevent
import pytest
from gevent.pool import Pool

from core.events.formats import parse_event
from core.events.server_keys import build_server_keys
from core.events.signatures import sign_event
from tests.servers.federating import FederatingServer
from tests.servers.guest_server import Guest
from tests.servers.pinging import pinging
from tests.servers.remote import running

SERVERS = 300
OPEN_FILES = 256
CROWD = 500
PER_TRANSACTION = 50
SEND = "/_matrix/federation/v1/send/"


class Frugal(FederatingServer):
    """A server under `ulimit -n`."""

    def command(self) -> list[str]:
        """How it is run."""
        return ["sh", "-c", f'ulimit -n {OPEN_FILES}; exec "$@"', "sh", *super().command()]


@pytest.fixture
def frugal(tmp_path, certificate):
    """The server."""
    server = Frugal(tmp_path, certificate)
    server.start()
    yield server
    server.stop()


def test_hundreds_of_servers_are_reached_with_256_open_files(frugal, certificate):
    alice, pool = frugal.register(), Pool(30)
    with running(certificate, address="0.0.0.0") as remote:
        remote.answer("/_matrix/federation/v1/query/profile", lambda seen: {"displayname": seen.host})
        names = [f"127.0.{number // 250}.{number % 250 + 1}:{remote.port}" for number in range(SERVERS)]
        with gevent.Timeout(60):
            found = pool.map(lambda name: alice.get(f"/v3/profile/@a:{name}")["displayname"], names)
        assert found == names
        assert len(remote.sni) >= SERVERS
    assert "Too many open files" not in frugal.output()


def names_of(remote, count):
    """So many names that all lead to the fake."""
    return [f"127.0.{number // 250}.{number % 250 + 1}:{remote.port}" for number in range(count)]


def fill_with_servers(guest, names):
    """Let a user of each server join the guest's room, in few transactions."""
    remote, joins = guest.remote, []
    auth = [guest.state[key, ""] for key in ("m.room.power_levels", "m.room.join_rules")]
    for name in names:
        guest.depth += 1
        pdu = {
            "type": "m.room.member",
            "room_id": guest.room_id,
            "sender": f"@u:{name}",
            "state_key": f"@u:{name}",
            "content": {"membership": "join"},
            "depth": guest.depth,
            "prev_events": [guest.last],
            "auth_events": auth,
            "origin_server_ts": int(time.time() * 1000),
        }
        joins.append(sign_event(pdu, guest.version, name, remote.signing_keys[0]))
        guest.last = parse_event(joins[-1], guest.version).event_id
    for start in range(0, len(joins), PER_TRANSACTION):
        assert guest.transact(*joins[start : start + PER_TRANSACTION]).status_code == 200


@pytest.mark.soak
def test_a_first_message_reaches_a_room_of_500_servers_and_clients_notice_nothing(frugal, certificate):
    alice, bob = frugal.register(), frugal.register()
    with running(certificate, address="0.0.0.0") as remote:
        until = int(time.time() * 1000) + 3600_000
        remote.answer(
            "/_matrix/key/v2/server", lambda seen: build_server_keys(seen.host, remote.signing_keys, {}, until)
        )
        remote.answer(SEND, {"pdus": {}})
        guest, names = Guest(remote, frugal, alice.create_room(preset="public_chat")), names_of(remote, CROWD)
        guest.join()
        fill_with_servers(guest, names)
        deadline = time.monotonic() + 120
        path = f"/v3/rooms/{guest.room_id}/joined_members"
        while len(alice.get(path)["joined"]) < CROWD + 2:
            assert time.monotonic() < deadline, "they never joined"
            gevent.sleep(0.2)
        with pinging(bob) as slowest:
            begun = time.monotonic()
            alice.send(guest.room_id, "hello, all")
            assert time.monotonic() - begun < 1
            while {seen.host for seen in remote.asked(SEND)} < set(names):
                assert time.monotonic() < deadline, "it never arrived everywhere"
                gevent.sleep(0.05)
    assert slowest[0] < 1
    assert "Too many open files" not in frugal.output()
