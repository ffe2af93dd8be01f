"""Invites to an address whose owner turns out to be a user of another server."""

from __future__ import annotations

from urllib.parse import quote

import pytest
import requests
from nacl.signing import SigningKey as NaclKey

from core.events import unpadded_base64
from core.events.signatures import SigningKey, sign_json
from tests.federation.test_transactions import sync_until
from tests.servers.trellis import Refused

SEED = b"i" * 32
IDENTITY = "identity.test"


@pytest.fixture
def alice(alpha):
    """Who invites."""
    return alpha.register()


@pytest.fixture
def bob(beta):
    """Whose address it is."""
    return beta.register()


def offer(alice, **options):
    """A room with an invite that waits."""
    room = alice.create_room(preset="private_chat", name="Inner", **options)
    key = unpadded_base64.encode(bytes(NaclKey(SEED).verify_key))
    url = f"https://{IDENTITY}/valid"
    content = {"display_name": "b...", "public_key": key, "key_validity_url": url, "public_keys": [{"public_key": key}]}
    alice.set_state(room, "m.room.third_party_invite", content, "t0k")
    return room


def proof(alice, bob):
    """What the identity server signs."""
    signed = {"mxid": bob.user_id, "sender": alice.user_id, "token": "t0k"}
    return sign_json(signed, IDENTITY, SigningKey("ed25519:0", SEED))


def bind(server, alice, bob, room, signed):
    """The identity server's call."""
    invite = {"medium": "email", "address": "b@c.d", "mxid": bob.user_id, "room_id": room, "sender": alice.user_id}
    body = {"medium": "email", "address": "b@c.d", "mxid": bob.user_id, "invites": [{**invite, "signed": signed}]}
    return requests.put(f"{server.base}/_matrix/federation/v1/3pid/onbind", json=body, timeout=30)


def test_the_owner_of_an_address_is_invited_by_the_inviting_server(alpha, beta, alice, bob):
    room = offer(alice)
    assert bind(beta, alice, bob, room, proof(alice, bob)).json() == {}
    assert room in bob.sync()["rooms"]["invite"]
    bob.join(room)
    member = alice.get(f"/v3/rooms/{quote(room)}/state/m.room.member/{quote(bob.user_id)}")
    assert member["membership"] == "join"


def test_an_invite_is_made_here_where_the_room_is_here_and_the_inviter_hears_of_it(alpha, beta, alice, bob):
    room = offer(alice)
    carol = beta.register()
    alice.post(f"/v3/rooms/{quote(room)}/invite", {"user_id": carol.user_id})
    carol.join(room)
    assert bind(beta, alice, bob, room, proof(alice, bob)).status_code == 200
    assert room in bob.sync()["rooms"]["invite"]

    def is_told(answer):
        timeline = answer["rooms"]["join"].get(room, {}).get("timeline", {}).get("events", [])
        return any(event.get("state_key") == bob.user_id for event in timeline)

    sync_until(alice, is_told)


def test_a_proof_shown_on_joining_leads_through_the_inviting_server(alice, bob):
    room = offer(alice)
    bob.post(f"/v3/rooms/{quote(room)}/join", {"third_party_signed": proof(alice, bob)})
    assert bob.user_id in alice.get(f"/v3/rooms/{quote(room)}/joined_members")["joined"]


def test_a_forged_proof_invites_nobody(alpha, beta, alice, bob):
    room, eve = offer(alice), beta.register()
    forged = {**proof(alice, bob), "mxid": eve.user_id}
    bind(beta, alice, eve, room, forged)
    assert room not in eve.sync().get("rooms", {}).get("invite", {})
    with pytest.raises(Refused) as caught:
        eve.post(f"/v3/rooms/{quote(room)}/join", {"third_party_signed": forged})
    assert caught.value.status == 403


def test_an_identity_server_may_post_and_need_not_list_invites_where_none_waited(beta, bob):
    body = {"medium": "email", "address": "b@c.d", "mxid": bob.user_id}
    answer = requests.post(f"{beta.base}/_matrix/federation/v1/3pid/onbind", json=body, timeout=30)
    assert (answer.status_code, answer.json()) == (200, {})


def test_an_address_of_somebody_elses_user_is_refused(alpha, alice, bob):
    answer = bind(alpha, alice, bob, "!r:example.org", proof(alice, bob))
    assert (answer.status_code, answer.json()["errcode"]) == (400, "M_INVALID_PARAM")
