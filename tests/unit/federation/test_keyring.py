"""The key ring against real servers: direct, rotated, expired, through notaries, forged."""

from __future__ import annotations

import time
from types import SimpleNamespace

import gevent
import pytest

from core.errors import BadSignature
from core.events.server_keys import OldVerifyKey
from core.events.signatures import sign_json
from core.federation.calls.key_calls import KeyCalls
from core.federation.keyring import KeyRing
from core.federation.notaries import Notaries, Notary, Wanted
from core.federation.notary_service import NotaryService
from core.federation.own_keys import OwnKeys
from core.ids import ServerName
from core.storage.server_keys import ServerKeyStore
from tests.servers.remote import Reply, new_key, running
from tests.unit.federation.conftest import OWN

KEYS = "/_matrix/key/v2/server"
QUERY = "/_matrix/key/v2/query"
DAY = 86_400


@pytest.fixture
def make_ring(client, storage, clock):
    """A key ring with the notaries named; a fresh one on the same database each time."""
    clock.now = time.time()

    def make(*notaries):
        own = OwnKeys(OWN, [new_key("own")], {}, DAY * 1000, clock=clock)
        calls = KeyCalls(client)
        ring = KeyRing(
            own, ServerKeyStore(storage.database), storage.writer, calls, Notaries(notaries, calls, clock), clock
        )
        return SimpleNamespace(ring=ring, own=own, find=lambda server, key="ed25519:a": ring.for_request(server, key))

    return make


@pytest.fixture
def notary(certificate):
    """A server that answers for others' keys what tests put into `objects`."""
    with running(certificate) as notary:
        notary.objects = []
        notary.answer(QUERY, lambda _seen: {"server_keys": notary.objects})
        yield notary


def vouch(notary, published, key=None):
    """Have the notary hand on an object with its signature."""
    notary.objects.append(sign_json(published, notary.name, key or notary.signing_keys[0]))


def pinned(notary):
    return Notary(notary.name, {"ed25519:a": notary.signing_keys[0].verify_key})


def test_keys_are_fetched_once_and_remembered_over_a_restart(make_ring, remote):
    ring = make_ring()
    assert ring.find(remote.name) == remote.signing_keys[0].verify_key
    assert ring.find(remote.name) == remote.signing_keys[0].verify_key
    assert make_ring().find(remote.name) == remote.signing_keys[0].verify_key
    assert len(remote.asked(KEYS)) == 1
    assert remote.requests[0].authorization is None


def test_all_who_wait_share_one_fetch(make_ring, remote):
    ring = make_ring()
    waiting = [gevent.spawn(ring.find, remote.name) for _ in range(20)]
    assert {bytes(w.get()) for w in waiting} == {bytes(remote.signing_keys[0].verify_key)}
    assert len(remote.asked(KEYS)) == 1


def test_a_rotated_key_is_learned_and_the_old_one_no_longer_signs_requests(make_ring, remote, clock):
    ring, old = make_ring(), remote.signing_keys[0]
    ring.find(remote.name)
    remote.signing_keys = [new_key("b")]
    remote.old_keys = {"ed25519:a": OldVerifyKey(old.verify_key, int(clock.now * 1000))}
    clock.now += 61
    remote.valid_for_ms += 61_000
    assert ring.find(remote.name, "ed25519:b") == remote.signing_keys[0].verify_key
    with pytest.raises(BadSignature, match="ed25519:a"):
        ring.find(remote.name)


def test_an_expired_key_is_fetched_anew_and_refused_where_that_fails(make_ring, remote, clock):
    ring = make_ring()
    ring.find(remote.name)
    remote.is_serving_keys = False
    clock.now += 2 * DAY
    with pytest.raises(BadSignature, match="no longer valid"):
        ring.find(remote.name)
    assert len(remote.asked(KEYS)) == 2


def test_an_unknown_key_id_does_not_make_us_ask_again_and_again(make_ring, remote):
    ring = make_ring()
    for _ in range(5):
        with pytest.raises(BadSignature, match="does not publish"):
            ring.find(remote.name, "ed25519:guess")
    assert len(remote.asked(KEYS)) == 1


@pytest.mark.parametrize("change", ["unsigned", "wrong signature", "other name", "no keys", "not json", "error"])
def test_keys_that_are_not_what_their_server_signed_are_not_believed(make_ring, remote, change):
    published = remote.published_keys()
    if change == "unsigned":
        published.pop("signatures")
    elif change == "wrong signature":
        published["valid_until_ts"] += 1
    elif change == "other name":
        published["server_name"] = "victim.org"
    elif change == "no keys":
        published["verify_keys"] = {}
    answers = {"not json": Reply("200 OK", b"<html>"), "error": Reply("404 Not Found", {"errcode": "M_NOT_FOUND"})}
    remote.answer(KEYS, answers.get(change, published))
    with pytest.raises(BadSignature, match="could not be fetched"):
        make_ring().find(remote.name)


def test_a_notary_answers_for_a_server_that_does_not(make_ring, remote, notary):
    vouch(notary, remote.published_keys())
    remote.is_serving_keys = False
    assert make_ring(pinned(notary)).find(remote.name) == remote.signing_keys[0].verify_key
    asked = notary.asked(QUERY)[0].json["server_keys"][remote.name]["ed25519:a"]["minimum_valid_until_ts"]
    assert abs(asked - time.time() * 1000) < 60_000


def test_a_notary_without_configured_keys_is_asked_for_its_own(make_ring, remote, notary):
    vouch(notary, remote.published_keys())
    remote.is_serving_keys = False
    assert make_ring(Notary(notary.name, {})).find(remote.name) == remote.signing_keys[0].verify_key
    assert len(notary.asked(KEYS)) == 1


@pytest.mark.parametrize("forgery", ["not by the notary", "not by the server", "of another server"])
def test_what_a_notary_says_needs_both_signatures(make_ring, remote, notary, forgery):
    published = remote.published_keys()
    if forgery == "not by the notary":
        vouch(notary, published, new_key("a"))
    elif forgery == "not by the server":
        published["verify_keys"]["ed25519:a"]["key"] = notary.published_keys()["verify_keys"]["ed25519:a"]["key"]
        vouch(notary, published)
    else:
        vouch(notary, notary.published_keys())
    remote.is_serving_keys = False
    with pytest.raises(BadSignature):
        make_ring(pinned(notary)).find(remote.name)


def test_the_keys_of_many_servers_are_one_question_to_a_notary(make_ring, notary):
    servers = [ServerName(f"gone{n}.test") for n in range(30)]
    make_ring(pinned(notary)).ring.fetch({name: Wanted(frozenset({"ed25519:x"}), 0) for name in servers})
    assert len(notary.asked(QUERY)[0].json["server_keys"]) == 30


def test_an_older_object_from_a_notary_does_not_displace_a_newer_one(make_ring, remote, notary, clock):
    remote.valid_for_ms = 3_600_000
    vouch(notary, remote.published_keys())
    remote.valid_for_ms = 7_200_000
    ring = make_ring(pinned(notary))
    ring.find(remote.name)
    with pytest.raises(BadSignature):
        ring.find(remote.name, "ed25519:other")
    clock.now += 5_000
    ring.find(remote.name)
    assert len(ring.ring.known(remote.name)) == 1


def test_our_own_keys_are_known_without_asking(make_ring):
    ring = make_ring()
    assert ring.find(OWN, "ed25519:own") == ring.own.server_keys().verify_keys["ed25519:own"]


def test_a_key_that_is_rotated_out_stays_current_until_its_overlap_ends(clock):
    new, old = new_key("new"), new_key("old")
    ends = int(clock.now * 1000) + DAY * 1000
    own = OwnKeys(OWN, [new, old], {"ed25519:old": OldVerifyKey(old.verify_key, ends)}, 2 * DAY * 1000, clock=clock)
    assert set(own.server_keys().verify_keys) == {"ed25519:new", "ed25519:old"}
    assert own.server_keys().valid_until_ts == ends
    clock.now += DAY + 1
    assert set(own.server_keys().verify_keys) == {"ed25519:new"}
    assert own.server_keys().old_verify_keys["ed25519:old"].expired_ts == ends


def test_our_keys_are_published_anew_before_they_run_out(clock):
    own = OwnKeys(OWN, [new_key()], {}, DAY * 1000, clock=clock)
    first = own.published()
    clock.now += DAY / 4
    assert own.published() == first
    clock.now += DAY / 2
    assert own.published() != first
    assert own.server_keys().valid_until_ts - clock.now * 1000 > 3_600_000


def test_as_a_notary_we_hand_on_signed_keys_even_of_a_server_that_is_gone(make_ring, remote, client, clock):
    ring = make_ring()
    notary = NotaryService(ring.own, ring.ring, client._allowed, clock)
    (handed,) = notary.answer({remote.name: {}})
    assert set(handed["signatures"]) == {remote.name, OWN}
    remote.is_serving_keys = False
    clock.now += 30 * DAY
    assert notary.answer({remote.name: {"ed25519:a": None}})[0]["verify_keys"] == handed["verify_keys"]
    assert notary.answer({"gone.test": {}, "no name": {}}) == []
    assert notary.answer({OWN: {}})[0]["server_name"] == OWN


def test_as_a_notary_we_renew_what_is_past_half_its_life(make_ring, remote, client, clock):
    ring = make_ring()
    notary = NotaryService(ring.own, ring.ring, client._allowed, clock)
    for later, asked in ((0, 1), (DAY / 3, 1), (DAY * 0.6, 2)):
        start = time.time()
        clock.now = start + later
        notary.answer({remote.name: {"ed25519:a": None}})
        assert len(remote.asked(KEYS)) == asked
