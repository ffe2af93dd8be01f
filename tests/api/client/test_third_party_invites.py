"""Invites to an address, through an identity server over real TLS."""

from __future__ import annotations

import ssl
from urllib.parse import quote

import orjson
import pytest
from gevent.pywsgi import WSGIServer
from nacl.signing import SigningKey as NaclKey

from core.events import unpadded_base64
from core.events.signatures import SigningKey, sign_json
from tests.servers.remote import make_certificate
from tests.servers.trellis import Refused, Server

SEED = b"i" * 32


class IdentityServer:
    """Knows `known@example.org`; keeps invites to everybody else."""

    def __init__(self, certificate):
        self.known, self.letters = {}, []
        files = {"certfile": str(certificate.certificate), "keyfile": str(certificate.key)}
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(files["certfile"], files["keyfile"])
        self.server = WSGIServer(("127.0.0.1", 0), self.answer, log=None, ssl_context=context)
        self.server.start()
        self.name = f"localhost:{self.server.server_port}"

    def answer(self, environ, start_response):
        path, body = environ["PATH_INFO"].rpartition("/")[2], environ["wsgi.input"].read()
        found = {"errcode": "M_UNRECOGNIZED"}
        if environ["HTTP_AUTHORIZATION"] != "Bearer token":
            start_response("401 No", [])
            return [b'{"errcode": "M_UNAUTHORIZED", "error": "who?"}']
        if path == "hash_details":
            found = {"lookup_pepper": "p", "algorithms": ["sha256"]}
        if path == "lookup":
            found = {"mappings": {orjson.loads(body)["addresses"][0]: user for user in self.known.values()}}
        if path == "store-invite":
            self.letters.append(orjson.loads(body))
            public = unpadded_base64.encode(bytes(NaclKey(SEED).verify_key))
            found = {"token": "t0k", "display_name": "b...", "public_keys": [{"public_key": public}]}
        start_response("200 OK", [("Content-Type", "application/json")])
        return [orjson.dumps(found)]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inviting")
    certificate = make_certificate(folder)
    identity = IdentityServer(certificate)
    server = Server(
        folder,
        federation_custom_ca_list=[str(certificate.certificate)],
        ip_range_whitelist=["127.0.0.1", "::1"],
        email={"invite_client_location": "https://chat.example.org"},
    )
    server.start()
    yield server, identity
    server.stop()
    identity.server.stop(timeout=1)


def invite(user, room, identity, **fields):
    body = {"medium": "email", "address": "a@b.c", "id_server": identity.name, "id_access_token": "token", **fields}
    return user.post(f"/v3/rooms/{quote(room)}/invite", body)


def test_whoever_has_published_the_address_is_invited(world):
    server, identity = world
    alice, bob = server.register(), server.register()
    room = alice.create_room()
    identity.known = {"a@b.c": bob.user_id}
    invite(alice, room, identity)
    assert room in bob.sync()["rooms"]["invite"]
    identity.known = {}


def test_an_address_nobody_has_published_is_invited_by_token_and_joins_with_the_signature(world):
    server, identity = world
    alice, bob, eve = server.register(), server.register(), server.register()
    room = alice.create_room(name="Tea")
    invite(alice, room, identity)
    letter = identity.letters[-1]
    assert (letter["room_name"], letter["sender"], letter["address"]) == ("Tea", alice.user_id, "a@b.c")
    assert letter["org.matrix.web_client_location"] == "https://chat.example.org"
    event = alice.get(f"/v3/rooms/{quote(room)}/state/m.room.third_party_invite/t0k")
    assert event["display_name"] == "b..."
    key = SigningKey("ed25519:0", SEED)
    signed = sign_json({"mxid": bob.user_id, "sender": alice.user_id, "token": "t0k"}, identity.name, key)
    for body in ({"third_party_signed": {**signed, "mxid": eve.user_id}}, {"third_party_signed": signed}):
        with pytest.raises(Refused) as refused:
            eve.post(f"/v3/rooms/{quote(room)}/join", body)
        assert refused.value.status == 403
    bob.post(f"/v3/rooms/{quote(room)}/join", {"third_party_signed": signed})
    assert bob.user_id in bob.get(f"/v3/rooms/{quote(room)}/joined_members")["joined"]


def test_addresses_are_invited_as_the_room_is_created(world):
    server, identity = world
    alice = server.register()
    who = {"medium": "email", "address": "new@b.c", "id_server": identity.name, "id_access_token": "token"}
    room = alice.create_room(name="Cake", invite_3pid=[who])
    letter = identity.letters[-1]
    assert (letter["room_id"], letter["room_name"], letter["address"]) == (room, "Cake", "new@b.c")


def test_what_the_identity_server_refuses_is_told(world):
    server, identity = world
    alice = server.register()
    room = alice.create_room()
    with pytest.raises(Refused) as refused:
        invite(alice, room, identity, id_access_token="wrong")
    assert (refused.value.status, refused.value.errcode) == (403, "M_UNAUTHORIZED")
    with pytest.raises(Refused) as refused:
        invite(alice, room, identity, medium="pigeon")
    assert refused.value.status == 400


def test_a_new_room_invites_addresses_too(world):
    server, identity = world
    alice, bob = server.register(), server.register()
    address = {"medium": "email", "id_server": identity.name, "id_access_token": "token"}
    identity.known = {"a@b.c": bob.user_id}
    alice.create_room(invite_3pid=[{**address, "address": "a@b.c"}], is_direct=True)
    (room,) = bob.sync()["rooms"]["invite"].values()
    member = next(one for one in room["invite_state"]["events"] if one.get("state_key") == bob.user_id)
    assert member["content"]["is_direct"] is True
    identity.known = {}
    room = alice.create_room(invite_3pid=[{**address, "address": "b@b.c"}])
    assert alice.get(f"/v3/rooms/{quote(room)}/state/m.room.third_party_invite/t0k")["display_name"] == "b..."
