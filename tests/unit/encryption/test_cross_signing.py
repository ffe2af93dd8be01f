"""Cross-signing: who may publish what, who must authenticate, and who sees which signature."""

import pytest

from core.errors import Forbidden
from tests.servers.device_keys import Identity

UPLOAD = "/keys/device_signing/upload"


@pytest.fixture
def identity(alice):
    identity = Identity(alice.user_id)
    alice.ask("POST", UPLOAD, identity.body())
    return identity


def signatures_of(key, person):
    return key.get("signatures", {}).get(person.user_id, {})


def test_a_first_set_of_keys_needs_no_authentication(alice, identity):
    answer = alice.query(alice.user_id)
    assert answer["master_keys"][alice.user_id] == identity.key("master")
    assert answer["self_signing_keys"][alice.user_id] == identity.key("self_signing")
    assert answer["user_signing_keys"][alice.user_id] == identity.key("user_signing")


def test_the_user_signing_key_is_shown_to_its_owner_only(alice, bob, identity):
    answer = bob.query(alice.user_id)
    assert answer["user_signing_keys"] == {}
    assert list(answer["master_keys"]) == list(answer["self_signing_keys"]) == [alice.user_id]


def test_the_same_keys_again_need_no_authentication_and_are_no_news(alice, identity):
    before = alice.server.tail.position
    alice.ask("POST", UPLOAD, identity.body())
    assert alice.server.tail.position == before


def test_replacing_keys_takes_the_password(alice, identity):
    fresh = Identity(alice.user_id)
    assert alice.authenticated("POST", UPLOAD, fresh.body(), "wrong").status_code == 401
    assert alice.query(alice.user_id)["master_keys"][alice.user_id] == identity.key("master")
    assert alice.authenticated("POST", UPLOAD, fresh.body()).status_code == 200
    assert alice.query(alice.user_id)["master_keys"][alice.user_id] == fresh.key("master")


def test_another_self_signing_key_under_the_same_master_takes_the_password(alice, identity):
    identity.self_signing = Identity(alice.user_id).self_signing
    assert alice.authenticated("POST", UPLOAD, {"self_signing_key": identity.key("self_signing")}).status_code == 200


def test_a_self_signing_key_without_a_master_key_is_refused(alice):
    status, error = alice.refused("POST", UPLOAD, {"self_signing_key": Identity(alice.user_id).key("self_signing")})
    assert (status, error["errcode"]) == (400, "M_MISSING_PARAM")


def test_a_key_that_the_master_key_did_not_sign_is_refused(alice):
    body = Identity(alice.user_id).body()
    body["user_signing_key"] = Identity(alice.user_id).key("user_signing")
    status, error = alice.refused("POST", UPLOAD, body)
    assert (status, error["errcode"]) == (400, "M_INVALID_SIGNATURE")


def test_a_key_named_like_a_device_is_refused(server, alice):
    identity = Identity(alice.user_id)
    server.log_in("alice", device_id=identity.master.public)
    status, error = alice.refused("POST", UPLOAD, identity.body())
    assert (status, error["errcode"]) == (403, "M_FORBIDDEN")


@pytest.mark.parametrize(
    "change",
    [
        {"user_id": "@bob:example.org"},
        {"usage": ["self_signing"]},
        {"usage": "master"},
        {"keys": {}},
        {"keys": {"ed25519:a": "b"}},
        {"keys": {"ed25519:a": "a"}},
        {"signatures": 7},
    ],
)
def test_junk_is_refused_with_a_sentence(alice, change):
    master = {**Identity(alice.user_id).key("master"), **change}
    status, error = alice.refused("POST", UPLOAD, {"master_key": master})
    assert (status, error["errcode"]) == (400, "M_INVALID_PARAM")
    assert "master_key" in error["error"]


def test_a_signature_of_a_device_by_its_owner_is_seen_by_all(alice, bob, identity):
    alice.upload()
    pair = identity.self_signing
    signed = pair.sign(alice.device.keys(), alice.user_id, pair.public)
    answer = alice.ask("POST", "/keys/signatures/upload", {alice.user_id: {alice.device_id: signed}})
    assert answer == {"failures": {}}
    seen = bob.query(alice.user_id)["device_keys"][alice.user_id][alice.device_id]
    assert seen["signatures"] == signed["signatures"]


def test_publishing_the_device_again_keeps_its_signatures(alice, bob, identity):
    alice.upload()
    pair = identity.self_signing
    signed = pair.sign(alice.device.keys(), alice.user_id, pair.public)
    alice.ask("POST", "/keys/signatures/upload", {alice.user_id: {alice.device_id: signed}})
    alice.upload()
    seen = bob.query(alice.user_id)["device_keys"][alice.user_id][alice.device_id]
    assert seen["signatures"] == signed["signatures"]


def test_a_signature_of_the_master_key_by_a_device_is_seen_by_all(alice, bob, identity):
    alice.upload()
    signed = alice.device.sign(identity.key("master"))
    body = {alice.user_id: {identity.master.public: signed}}
    assert alice.ask("POST", "/keys/signatures/upload", body) == {"failures": {}}
    assert signatures_of(bob.query(alice.user_id)["master_keys"][alice.user_id], alice)


def test_a_signature_of_anothers_master_key_is_seen_by_the_signer_only(server, alice, bob, identity):
    other = Identity(bob.user_id)
    bob.ask("POST", UPLOAD, other.body())
    signed = identity.user_signing.sign(other.key("master"), alice.user_id, identity.user_signing.public)
    body = {bob.user_id: {other.master.public: signed}}
    assert alice.ask("POST", "/keys/signatures/upload", body) == {"failures": {}}
    assert signatures_of(alice.query(bob.user_id)["master_keys"][bob.user_id], alice)
    for viewer in (bob, server.signed_in("carol")):
        assert not signatures_of(viewer.query(bob.user_id)["master_keys"][bob.user_id], alice)


def test_what_fails_is_named_and_the_rest_is_kept(alice, bob, identity):
    alice.upload()
    pair = identity.self_signing
    good = pair.sign(alice.device.keys(), alice.user_id, pair.public)
    forged = {**identity.key("master"), "signatures": {alice.user_id: {f"ed25519:{alice.device_id}": "AAAA"}}}
    body = {
        alice.user_id: {alice.device_id: good, identity.master.public: forged, "UNKNOWN": good},
        bob.user_id: {"nothing": good},
    }
    failures = alice.ask("POST", "/keys/signatures/upload", body)["failures"]
    assert failures[alice.user_id][identity.master.public]["errcode"] == "M_INVALID_SIGNATURE"
    assert failures[alice.user_id]["UNKNOWN"]["errcode"] == "M_NOT_FOUND"
    assert failures[bob.user_id]["nothing"]["errcode"] == "M_NOT_FOUND"
    assert alice.device_id not in failures[alice.user_id]
    seen = bob.query(alice.user_id)["device_keys"][alice.user_id][alice.device_id]
    assert seen["signatures"] == good["signatures"]


def test_a_signature_over_something_else_is_refused(alice, identity):
    alice.upload()
    pair = identity.self_signing
    other = pair.sign({**alice.device.keys(), "algorithms": []}, alice.user_id, pair.public)
    failures = alice.ask("POST", "/keys/signatures/upload", {alice.user_id: {alice.device_id: other}})["failures"]
    assert failures[alice.user_id][alice.device_id]["errcode"] == "M_INVALID_SIGNATURE"


def test_replacing_the_master_key_drops_what_nobody_vouches_for(alice, bob, identity):
    fresh = Identity(alice.user_id)
    assert alice.authenticated("POST", UPLOAD, {"master_key": fresh.key("master")}).status_code == 200
    assert bob.query(alice.user_id)["self_signing_keys"] == {}


def test_keys_that_another_request_published_meanwhile_are_not_replaced(server, alice):
    first, second = Identity(alice.user_id), Identity(alice.user_id)
    checked = server.cross_signing.check(alice.requester, second.body())
    assert not server.cross_signing.must_authenticate(alice.requester, checked)
    alice.ask("POST", UPLOAD, first.body())
    with pytest.raises(Forbidden):
        server.cross_signing.upload(alice.requester, checked, is_authenticated=False)
    assert alice.query(alice.user_id)["master_keys"][alice.user_id] == first.key("master")
