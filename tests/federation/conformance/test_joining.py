"""Joins of rooms of other servers, as these see them."""

from __future__ import annotations

from core.events.formats import parse_event
from tests.federation.test_senders import until
from tests.servers.hosted_room import VERSION, HostedRoom

SEND = "/_matrix/federation/v1/send/"


def sent(remote):
    """The PDUs that the fake was sent, by id."""
    pdus = [pdu for seen in remote.asked(SEND) for pdu in seen.json["pdus"]]
    return {parse_event(pdu, VERSION).event_id: pdu for pdu in pdus}


def test_a_join_is_told_to_others_by_the_server_that_let_the_user_in(alpha, remote):
    room, alice = HostedRoom(remote, 3), alpha.register()
    room.answer()
    alice.join(room.room_id, via=remote.name)
    event_id = alice.send(room.room_id, "hello")
    until(lambda: event_id in sent(remote))
    assert "m.room.member" not in {pdu["type"] for pdu in sent(remote).values()}


def test_a_second_user_joins_by_themselves_and_all_are_told(alpha, remote):
    room, alice, bob = HostedRoom(remote, 3), alpha.register(), alpha.register()
    room.answer()
    alice.join(room.room_id, via=remote.name)
    bob.join(room.room_id)
    until(lambda: bob.user_id in {pdu.get("state_key") for pdu in sent(remote).values()})
    assert room.joins == 1
