"""`hsctl room doctor`, against a running server: what differs from other servers is told, and mended on request."""

from __future__ import annotations

import os
import subprocess
import sys
from urllib.parse import quote

import pytest

from tests.federation.test_transactions import arrived, sync_until
from tests.servers.guest_server import Guest
from tests.servers.remote import Reply

FEDERATION = "/_matrix/federation/v1"


def doctor(server, room_id, *options):
    """(exit code, output) of the command."""
    command = [sys.executable, "-m", "core.cli", "room", "doctor", room_id, *options]
    env = {**os.environ, "HS_CONFIG": str(server.config_path)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


def test_servers_that_agree_are_well(alpha, beta):
    alice, bob = alpha.register(), beta.register()
    room_id = alice.create_room(preset="public_chat")
    bob.post(f"/v3/join/{quote(room_id)}?via={alpha.name}", {})
    sync_until(alice, arrived(room_id, bob.send(room_id, "hello")))
    code, output = doctor(alpha, room_id)
    assert (code, f"{beta.name}: the same extremities, and the same state." in output) == (0, True), output


@pytest.fixture
def differing(alpha, remote):
    """A room of which the guest's server has an event more, and lacks one."""
    alice = alpha.register()
    guest = Guest(remote, alpha, alice.create_room(preset="public_chat"))
    guest.join()
    ours = alice.send(guest.room_id, "only here")
    theirs, pdu = guest.event("only there")
    template = {"type": "m.room.member", "prev_events": [theirs], "content": {"membership": "leave"}}
    remote.answer(f"{FEDERATION}/make_leave/", {"room_version": guest.version.id, "event": template})
    remote.answer(f"{FEDERATION}/event/", lambda seen: _event(seen, theirs, pdu))
    remote.answer(f"{FEDERATION}/send/", {"pdus": {}})
    return alice, guest, ours, theirs


def _event(seen, event_id, pdu):
    if quote(event_id, safe="") in seen.target or event_id in seen.target:
        return {"origin": "x", "origin_server_ts": 1, "pdus": [pdu]}
    return Reply("404 No", {"errcode": "M_NOT_FOUND", "error": "It is not here."})


def test_what_differs_is_told_and_changes_nothing(alpha, differing):
    _, guest, ours, theirs = differing
    code, output = doctor(alpha, guest.room_id)
    assert code == 1
    assert f"it has {theirs}, which is not here" in output
    assert f"it lacks {ours}, which is here" in output


def test_what_differs_is_mended_on_request(alpha, differing, remote):
    alice, guest, ours, theirs = differing
    remote.requests.clear()
    doctor(alpha, guest.room_id, "--repair")
    sync_until(alice, arrived(guest.room_id, theirs))
    sent = [guest.signed_id(pdu) for seen in remote.asked(f"{FEDERATION}/send/doctor") for pdu in seen.json["pdus"]]
    assert sent == [ours]


def test_a_room_that_is_not_ours_is_not_examined(alpha):
    code, output = doctor(alpha, "!none:example.org")
    assert (code, "not in room !none:example.org" in output) == (2, True)
