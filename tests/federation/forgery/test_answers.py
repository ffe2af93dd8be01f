"""Answers that are not what was asked for: to joins, and to questions about events, keys and profiles."""

from __future__ import annotations

from urllib.parse import quote

import pytest
import requests

from core.events.server_keys import build_server_keys
from core.events.signatures import sign_json
from tests.servers.hostile_room import BASE, NOW, Trap
from tests.servers.remote import new_key, running
from tests.servers.trellis import Refused
from tests.servers.watching import state_content


def is_well(server):
    """The server goes on: somebody talks in a room of their own."""
    user = server.register()
    assert user.send(user.create_room(), "still here")


@pytest.mark.parametrize("version", ["11", "12"])
def test_an_honest_answer_lets_one_in(alpha, remote, version):
    trap, user = Trap(remote, version), alpha.register()
    assert trap.spring(user) is None
    assert state_content(user, trap.room_id, "m.room.join_rules") == {"join_rule": "public"}


def without_the_beginning(trap):
    trap.state = trap.state[1:]
    trap.chain = trap.chain[1:]


def of_another_version(trap):
    create = trap.event("m.room.create", {"room_version": "6", "creator": trap.host}, [], "")
    trap.state = [create, *trap.state[1:]]
    trap.chain = [create, *trap.chain[1:]]


def with_a_template_of_another_version(trap):
    trap.changed["make_join"] = {"room_version": "6" if trap.version.id != "6" else "9"}


def with_a_template_of_no_version(trap):
    trap.changed["make_join"] = {"room_version": "org.trap"}


def with_a_template_for_somebody_else(trap):
    template = {"type": "m.room.member", "room_id": trap.room_id, "sender": trap.host, "state_key": trap.host}
    template |= {"content": {"membership": "join"}, "depth": 1, "prev_events": [], "auth_events": []}
    trap.changed["make_join"] = {"event": template}


def with_a_template_for_a_ban(trap):
    trap.changed["make_join"] = {"event": {"type": "m.room.member", "content": {"membership": "ban"}}}


def without_signatures(trap):
    trap.state = [{**one, "signatures": {}} for one in trap.state]
    trap.chain = [{**one, "signatures": {}} for one in trap.chain]


def with_events_of_another_room(trap):
    trap.state = trap.chain = [{**one, "room_id": f"!other:{trap.remote.name}"} for one in trap.state]


def of_nothing(trap):
    trap.changed["send_join"] = {"state": [], "auth_chain": []}


def without_lists(trap):
    trap.changed["send_join"] = {"state": "-", "auth_chain": "-"}


def of_the_wrong_types(trap):
    trap.changed["send_join"] = {"state": {"a": 1}, "auth_chain": 7}


def of_junk(trap):
    trap.changed["send_join"] = {"state": [1, None, "x", {}], "auth_chain": [[]]}


def with_another_event_in_place_of_the_join(trap):
    trap.changed["send_join"] = {"event": trap.member}


def that_is_closed(trap):
    rules = trap.event("m.room.join_rules", {"join_rule": "invite"}, trap.state[:3], "")
    trap.state = trap.chain = [*trap.state[:3], rules]


LIES = [
    without_the_beginning,
    of_another_version,
    with_a_template_of_another_version,
    with_a_template_of_no_version,
    with_a_template_for_somebody_else,
    with_a_template_for_a_ban,
    without_signatures,
    with_events_of_another_room,
    of_nothing,
    without_lists,
    of_the_wrong_types,
    of_junk,
    with_another_event_in_place_of_the_join,
    that_is_closed,
]


@pytest.mark.parametrize("version", ["11", pytest.param("12", marks=pytest.mark.soak)])
@pytest.mark.parametrize("lie", LIES)
def test_a_room_is_not_joined_on_the_strength_of_a_lie(alpha, remote, lie, version):
    trap, user = Trap(remote, version), alpha.register()
    lie(trap)
    refused = trap.spring(user)
    assert refused is not None
    assert 400 <= refused.status <= 502
    assert refused.status != 500
    assert trap.room_id not in user.sync().get("rooms", {}).get("join", {})
    is_well(alpha)


@pytest.mark.parametrize("version", ["11", "12"])
def test_members_who_never_signed_are_not_believed(alpha, beta, remote, version):
    trap, user, bob = Trap(remote, version), alpha.register(), beta.register()
    for victim in (bob.user_id, alpha.register().user_id):
        forged = trap.event("m.room.member", {"membership": "join"}, trap.state, victim, sender=victim)
        trap.state = [*trap.state, forged]
    assert trap.spring(user) is None
    members = user.get(f"/v3/rooms/{quote(trap.room_id)}/joined_members")["joined"]
    assert set(members) == {trap.host, user.user_id}


def test_a_hole_in_the_auth_chain_costs_what_rests_on_it(alpha, remote):
    trap, user = Trap(remote), alpha.register()
    trap.chain = []
    trap.state = [one for one in trap.state if one is not trap.member]
    assert trap.spring(user) is not None
    is_well(alpha)


def test_a_profile_or_alias_that_makes_no_sense_is_told_as_such(alpha, remote):
    user = alpha.register()
    remote.answer(f"{BASE}/v1/query/directory", {"room_id": 7, "servers": "many"})
    remote.answer(f"{BASE}/v1/query/profile", ["no", "object"])
    for path in (f"/v3/directory/room/{quote(f'#a:{remote.name}')}", f"/v3/profile/@a:{remote.name}"):
        with pytest.raises(Refused) as caught:
            user.get(path)
        assert 400 <= caught.value.status <= 503
        assert caught.value.status != 500


FORGED_KEYS = {
    "of another server": lambda remote, keys: {**keys, "server_name": "else.org"},
    "signed by nobody": lambda remote, keys: {**keys, "signatures": {}},
    "signed by another": lambda remote, keys: (
        build_server_keys(remote.name, [new_key()], {}, NOW * 2) | {"verify_keys": keys["verify_keys"]}
    ),
    "long past": lambda remote, keys: build_server_keys(remote.name, remote.signing_keys, {}, 1),
    "no keys": lambda remote, keys: {**keys, "verify_keys": {}},
    "junk": lambda remote, keys: {"verify_keys": 1},
    "no object": lambda remote, keys: [keys],
}


@pytest.mark.parametrize("forgery", FORGED_KEYS)
def test_forged_keys_open_nothing(alpha, certificate, forgery):
    with running(certificate) as remote:
        told = FORGED_KEYS[forgery](remote, remote.published_keys())
        remote.answer("/_matrix/key/v2/server", told)
        path = f"{BASE}/v1/query/profile?user_id=@a:{alpha.name}"
        answer = remote.call(alpha.base, alpha.name, "GET", path)
        assert (answer.status_code, answer.json()["errcode"]) == (401, "M_UNAUTHORIZED")


@pytest.fixture(scope="module")
def trusting(make_server, certificate):
    """A server that trusts a notary, and the notary."""
    with running(certificate) as notary:
        keys = {"verify_keys": {notary.signing_keys[0].key_id: _public(notary)}}
        server = make_server(trusted_key_servers=[{"server_name": notary.name, **keys}])
        yield server, notary


def _public(remote):
    ((_, key),) = remote.published_keys()["verify_keys"].items()
    return key["key"]


@pytest.mark.parametrize("forgery", ["not signed by the server", "not signed by the notary", "of another server"])
def test_a_notary_cannot_make_keys_up(trusting, certificate, forgery):
    server, notary = trusting
    impostor = new_key("impostor")
    with running(certificate) as victim:
        victim.is_serving_keys = False
        keys = build_server_keys(victim.name, [impostor], {}, NOW * 2)
        if forgery == "not signed by the server":
            keys["signatures"] = {}
        told = keys if forgery == "not signed by the notary" else _countersigned(notary, keys)
        if forgery == "of another server":
            told = _countersigned(notary, build_server_keys("else.org", [impostor], {}, NOW * 2))
        notary.answer("/_matrix/key/v2/query", {"server_keys": [told]})
        target = f"{BASE}/v1/query/profile?user_id=@a:{server.name}"
        header = victim.authorization("GET", target, server.name, key=impostor)
        answer = requests.get(server.base + target, headers={"Authorization": header}, timeout=30)
        assert (answer.status_code, answer.json()["errcode"]) == (401, "M_UNAUTHORIZED")


def _countersigned(notary, keys):
    return sign_json(keys, notary.name, notary.signing_keys[0])
