"""Redactions of what only another server has."""

from __future__ import annotations

from urllib.parse import quote

from tests.federation.test_senders import until
from tests.federation.test_transactions import arrived, sync_until


def redact(user, room_id, event_id):
    """The id of the redaction."""
    path = f"/v3/rooms/{quote(room_id, safe='')}/redact/{quote(event_id, safe='')}/once"
    return user.put(path, {"reason": "untrue"})["event_id"]


def test_an_event_that_is_not_here_can_be_redacted_and_the_other_server_hears_of_it(shared, remote):
    alice, guest = shared
    seen = []
    remote.answer("/_matrix/federation/v1/send/", lambda one: seen.extend(one.json["pdus"]) or {"pdus": {}})
    redaction = redact(alice, guest.room_id, "$kept_by_the_other_server")
    until(lambda: redaction in {guest.signed_id(pdu) for pdu in seen})
    told = next(pdu for pdu in seen if guest.signed_id(pdu) == redaction)
    assert told["content"] == {"reason": "untrue", "redacts": "$kept_by_the_other_server"}


def test_an_event_that_comes_after_its_redaction_is_redacted(shared):
    alice, guest = shared
    event_id, pdu = guest.event("said")
    redact(alice, guest.room_id, event_id)
    guest.transact(pdu)
    event, _ = sync_until(alice, arrived(guest.room_id, event_id))
    assert event["content"] == {}
