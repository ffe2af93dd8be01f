"""A plugin that wants to see nothing of some users of other servers, in a server that runs."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.federation.conformance.conftest import segment
from tests.servers.federating import FederatingServer
from tests.servers.hostile_server import Hostile
from tests.servers.watching import Watcher, state_content

DROPPING = """
from core.hooks import Reject, hookimpl


@hookimpl
def drop_federated_event(event, origin, room):
    if event.sender.startswith("@mallory:") and event.sender.endswith(origin):
        return Reject("M_FORBIDDEN", "Nobody wants to hear that.")
    return None
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory, certificate):
    """A server with the plugin."""
    folder = tmp_path_factory.mktemp("dropping")
    (folder / "dropping.py").write_text(DROPPING)
    server = FederatingServer(folder, certificate, modules=[{"module": "dropping"}])
    server.env = {"PYTHONPATH": str(folder)}
    server.start()
    yield server
    server.stop()


@pytest.fixture
def room(server, remote):
    """Who watches, a guest who is heard, and one who is not."""
    alice = server.register()
    heard = Hostile(remote, server, alice.create_room(preset="public_chat"), "trent")
    unheard = Hostile(remote, server, heard.room_id, "mallory")
    heard.join()
    unheard.join()
    return alice, heard, unheard


def test_what_is_dropped_is_shown_to_nobody_and_what_follows_it_is(room):
    alice, heard, unheard = room
    watcher = Watcher(alice)
    dropped, pdu = unheard.event("buy this")
    after, following = heard.event("hello", prev_events=[dropped], depth=pdu["depth"] + 1)
    assert heard.transact(pdu, following).json() == {"pdus": {dropped: {}, after: {}}}
    watcher.event(heard.room_id, after)
    assert dropped not in {one["event_id"] for one in watcher.timelines[heard.room_id]}
    page = alice.get(f"/v3/rooms/{quote(heard.room_id)}/messages", dir="b", limit=20)["chunk"]
    assert dropped not in {one["event_id"] for one in page}


def test_what_is_dropped_changes_no_state_and_is_not_built_on(room):
    alice, heard, unheard = room
    dropped, pdu = unheard.event(
        {"membership": "join", "displayname": "Alice"}, "m.room.member", state_key=unheard.user_id
    )
    good, following = heard.event("hello")
    heard.transact(pdu, following)
    Watcher(alice).event(heard.room_id, good)
    member = state_content(alice, heard.room_id, "m.room.member", unheard.user_id)
    assert "displayname" not in member
    (told,) = heard.call("GET", f"/v1/event/{segment(alice.send(heard.room_id, 'next'))}").json()["pdus"]
    assert dropped not in told["prev_events"]
