"""Identity delegated to a real Sydent: who somebody is there, what they publish, and invites to an address."""

from __future__ import annotations

import time
from urllib.parse import quote

import pytest
import requests

from tests.servers.sydent import SydentUser
from tests.servers.trellis import Refused

PATIENCE_SECONDS = 20


def publish(sydent, person, mails, address):
    """Validate at Sydent, and publish through the homeserver."""
    session = person.validate(mails, address)
    body = {**session, "id_server": sydent.name, "id_access_token": person.token}
    assert person.user.post("/v3/account/3pid/bind", body) == {}


def by_address(sydent, person, address):
    """Whom to invite."""
    return {"medium": "email", "address": address, "id_server": sydent.name, "id_access_token": person.token}


def invite(sydent, person, room, address):
    person.user.post(f"/v3/rooms/{quote(room)}/invite", by_address(sydent, person, address))


def is_published(sydent, person, address):
    """Whether an invite to the address becomes the invite of a user at once, which is what a lookup is for."""
    room = person.user.create_room()
    invite(sydent, person, room, address)
    state = person.user.get(f"/v3/rooms/{quote(room)}/state")
    return not any(event["type"] == "m.room.third_party_invite" for event in state)


def await_invite(person, room):
    """Sync until the room is among the invites; its stripped state."""
    deadline, since = time.monotonic() + PATIENCE_SECONDS, None
    while time.monotonic() < deadline:
        answer = person.user.sync(since, timeout=2_000)
        since = answer["next_batch"]
        if room in answer.get("rooms", {}).get("invite", {}):
            return answer["rooms"]["invite"][room]["invite_state"]["events"]
    raise AssertionError(f"{person.user.user_id} was not invited")


def member(person, room, user_id):
    return person.user.get(f"/v3/rooms/{quote(room)}/state/m.room.member/{quote(user_id)}")


def test_sydent_knows_whom_our_openid_token_is_of(sydent, trellis, known):
    person = known(trellis)
    assert person.call("GET", "/account")["user_id"] == person.user.user_id


def test_terms_that_nobody_has_accepted_are_told_to_the_client(sydent, trellis, mails, new_address):
    person = SydentUser(sydent, trellis.register())
    with pytest.raises(Refused) as caught:
        invite(sydent, person, person.user.create_room(), new_address())
    assert (caught.value.status, caught.value.errcode) == (403, "M_TERMS_NOT_SIGNED")


def test_a_published_address_is_found_until_it_is_taken_back(sydent, trellis, known, mails, new_address):
    alice, bob, address = known(trellis), known(trellis), new_address()
    publish(sydent, bob, mails, address)
    assert is_published(sydent, alice, address)
    assert is_published(sydent, alice, address.upper())
    answer = bob.user.post("/v3/account/3pid/unbind", {"medium": "email", "address": address})
    assert answer == {"id_server_unbind_result": "success"}
    assert not is_published(sydent, alice, address)


def test_an_account_that_ends_takes_its_published_addresses_with_it(sydent, trellis, known, mails, new_address):
    alice, bob, address = known(trellis), known(trellis), new_address()
    publish(sydent, bob, mails, address)
    auth = {"type": "m.login.password", "password": "pässword"}
    auth["identifier"] = {"type": "m.id.user", "user": bob.user.user_id}
    answer = bob.user.post("/v3/account/deactivate", {"auth": auth})
    assert answer == {"id_server_unbind_result": "success"}
    assert not is_published(sydent, alice, address)


@pytest.mark.parametrize("where", ["trellis", "neighbor"])
def test_an_invited_address_that_is_published_later_becomes_an_invite(
    sydent, trellis, known, mails, new_address, where, request
):
    alice, bob, address = known(trellis), known(request.getfixturevalue(where)), new_address()
    room = alice.user.create_room(preset="private_chat", name="Tea")
    invite(sydent, alice, room, address)
    assert "Tea" in mails.to(address)[-1].text
    publish(sydent, bob, mails, address)
    stripped = await_invite(bob, room)
    assert any(event["type"] == "m.room.name" and event["content"]["name"] == "Tea" for event in stripped)
    bob.user.join(room)
    assert member(alice, room, bob.user.user_id)["membership"] == "join"


def test_a_room_is_made_with_an_invited_address(sydent, trellis, known, mails, new_address):
    alice, bob, address = known(trellis), known(trellis), new_address()
    room = alice.user.create_room(invite_3pid=[by_address(sydent, alice, address)], is_direct=True)
    publish(sydent, bob, mails, address)
    await_invite(bob, room)
    signed = member(alice, room, bob.user.user_id)["third_party_invite"]["signed"]
    assert signed["mxid"] == bob.user.user_id
    bob.user.join(room)


def test_the_token_of_the_mail_lets_in_who_has_another_address(sydent, trellis, known, mails, new_address):
    alice, bob, address = known(trellis), known(trellis), new_address()
    room = alice.user.create_room(preset="private_chat")
    invite(sydent, alice, room, address)
    event = next(
        e for e in alice.user.get(f"/v3/rooms/{quote(room)}/state") if e["type"] == "m.room.third_party_invite"
    )
    assert event["state_key"] in mails.to(address)[-1].text
    assert address not in str(event)
    for key in event["content"]["public_keys"]:
        answer = requests.get(key["key_validity_url"], params={"public_key": key["public_key"]}, timeout=10)
        assert answer.json() == {"valid": True}
    with pytest.raises(Refused):
        bob.user.join(room)


def test_a_password_is_reset_by_an_address_that_is_published_too(sydent, trellis, known, mails, new_address):
    bob, address = known(trellis), new_address()
    publish(sydent, bob, mails, address)
    ours = {"client_secret": "ours", "email": address, "send_attempt": 1}
    sid = bob.user.post("/v3/account/3pid/email/requestToken", ours)["sid"]
    requests.get(mails.to(address)[-1].link, timeout=10)
    proof = {"sid": sid, "client_secret": "ours"}
    identifier = {"type": "m.id.user", "user": bob.user.user_id}
    auth = {"type": "m.login.password", "password": "pässword", "identifier": identifier}
    bob.user.post("/v3/account/3pid/add", {**proof, "auth": auth})
    sid = bob.user.post("/v3/account/password/email/requestToken", {**ours, "client_secret": "reset"})["sid"]
    assert requests.post(mails.to(address)[-1].link, timeout=10).status_code == 200
    creds = {"sid": sid, "client_secret": "reset"}
    reset = {"new_password": "nëw", "auth": {"type": "m.login.email.identity", "threepid_creds": creds}}
    requests.post(f"{trellis.base}/_matrix/client/v3/account/password", json=reset, timeout=10).raise_for_status()
    assert trellis.login(bob.user, "nëw").user_id == bob.user.user_id
