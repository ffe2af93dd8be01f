"""What two servers need before they share a room: keys, signatures, questions about users and aliases."""

from __future__ import annotations

from urllib.parse import quote

import orjson
import pytest
import requests

from core.events.server_keys import parse_server_keys
from tests.servers.remote import new_key
from tests.servers.trellis import Refused


def get(server, path):
    """An unsigned GET over TLS."""
    return requests.get(server.federation_base + path, verify=str(server.certificate.certificate), timeout=30)


def signed(remote, server, path):
    """A GET that the fake server signs, over the plain listener."""
    return remote.call(server.base, server.name, "GET", path)


def test_a_server_says_what_it_is(alpha):
    assert get(alpha, "/_matrix/federation/v1/version").json()["server"]["name"] == "Trellis"


@pytest.mark.parametrize("path", ["/_matrix/key/v2/server", "/_matrix/key/v2/server/ed25519:any"])
def test_a_server_publishes_keys_that_it_signed(alpha, path):
    keys = parse_server_keys(get(alpha, path).json(), alpha.name, 0)
    assert len(keys.verify_keys) == 1


def test_a_server_is_a_notary_for_another(alpha, beta):
    (keys,) = get(alpha, f"/_matrix/key/v2/query/{beta.name}").json()["server_keys"]
    assert set(keys["signatures"]) == {alpha.name, beta.name}
    parse_server_keys(keys, beta.name, 0)


def test_a_notary_answers_for_those_it_reaches(alpha, remote):
    body = {"server_keys": {remote.name: {"ed25519:a": {"minimum_valid_until_ts": 1}}, "127.0.0.1:1": {}}}
    answer = requests.post(f"{alpha.base}/_matrix/key/v2/query", json=body, timeout=30).json()
    assert [keys["server_name"] for keys in answer["server_keys"]] == [remote.name]


@pytest.mark.parametrize(
    ("body", "errcode"),
    [
        ({}, "M_MISSING_PARAM"),
        ({"server_keys": []}, "M_BAD_JSON"),
        ({"server_keys": {"a.org": []}}, "M_BAD_JSON"),
        ({"server_keys": {"a.org": {"ed25519:a": 5}}}, "M_BAD_JSON"),
        ({"server_keys": {"a.org": {"ed25519:a": {"minimum_valid_until_ts": "soon"}}}}, "M_BAD_JSON"),
        ({"server_keys": {f"a{n}.org": {} for n in range(201)}}, "M_BAD_JSON"),
    ],
)
def test_a_notary_refuses_bodies_that_make_no_sense(alpha, body, errcode):
    answer = requests.post(f"{alpha.base}/_matrix/key/v2/query", json=body, timeout=30)
    assert (answer.status_code, answer.json()["errcode"]) == (400, errcode)


def test_a_user_sees_the_profile_of_one_of_another_server(alpha, beta):
    alice, bob = alpha.register(), beta.register()
    bob.put(f"/v3/profile/{bob.user_id}/displayname", {"displayname": "Bób"})
    assert alice.get(f"/v3/profile/{bob.user_id}")["displayname"] == "Bób"
    assert alice.get(f"/v3/profile/{bob.user_id}/displayname") == {"displayname": "Bób"}
    with pytest.raises(Refused) as caught:
        alice.get(f"/v3/profile/@nobody:{beta.name}")
    assert (caught.value.status, caught.value.errcode) == (404, "M_NOT_FOUND")


def test_a_profile_of_a_server_that_is_not_there_is_not_found_out(alpha):
    with pytest.raises(Refused) as caught:
        alpha.register().get("/v3/profile/@a:127.0.0.1:1")
    assert caught.value.status == 503


def test_a_signed_question_about_a_profile_is_answered(alpha, remote):
    alice = alpha.register()
    alice.put(f"/v3/profile/{alice.user_id}/displayname", {"displayname": "Alice"})
    path = f"/_matrix/federation/v1/query/profile?user_id={quote(alice.user_id, safe='')}"
    assert signed(remote, alpha, path).json()["displayname"] == "Alice"
    assert signed(remote, alpha, f"{path}&field=displayname").json() == {"displayname": "Alice"}
    assert signed(remote, alpha, f"{path}&field=unset").json() == {}


def test_a_signed_question_about_an_alias_is_answered(alpha, remote):
    alice = alpha.register()
    room = alice.create_room(room_alias_name="over/there", preset="public_chat")
    path = f"/_matrix/federation/v1/query/directory?room_alias=%23over%2Fthere%3A{quote(alpha.name)}"
    assert signed(remote, alpha, path).json() == {"room_id": room, "servers": [alpha.name]}


@pytest.mark.parametrize(
    ("path", "status", "errcode"),
    [
        ("/_matrix/federation/v1/query/profile", 400, "M_MISSING_PARAM"),
        ("/_matrix/federation/v1/query/profile?user_id=x", 400, "M_INVALID_PARAM"),
        ("/_matrix/federation/v1/query/profile?user_id=@a:else.org", 404, "M_NOT_FOUND"),
        ("/_matrix/federation/v1/query/directory?room_alias=%23a:else.org", 404, "M_NOT_FOUND"),
        ("/_matrix/federation/v1/query/directory", 400, "M_MISSING_PARAM"),
        ("/_matrix/federation/v1/query/weather", 404, "M_UNRECOGNIZED"),
    ],
)
def test_questions_that_cannot_be_answered_say_why(alpha, remote, path, status, errcode):
    answer = signed(remote, alpha, path)
    assert (answer.status_code, answer.json()["errcode"]) == (status, errcode)


@pytest.mark.parametrize("header", ["none", "junk", "forged", "misdirected"])
def test_without_a_good_signature_nothing_is_answered(alpha, remote, header):
    target = f"/_matrix/federation/v1/query/profile?user_id=@a:{alpha.name}"
    headers = {
        "none": {},
        "junk": {"Authorization": "X-Matrix origin=x"},
        "forged": {"Authorization": remote.authorization("GET", target, alpha.name, key=new_key())},
        "misdirected": {"Authorization": remote.authorization("GET", target, "else.org")},
    }[header]
    answer = requests.get(alpha.base + target, headers=headers, timeout=30)
    assert (answer.status_code, answer.json()["errcode"]) == (401, "M_UNAUTHORIZED")


def test_keys_survive_a_restart_and_are_asked_for_once(make_server, remote):
    server = make_server()
    path = f"/_matrix/federation/v1/query/profile?user_id=@nobody:{server.name}"
    assert signed(remote, server, path).status_code == 404
    server.stop()
    server.start()
    assert orjson.loads(signed(remote, server, path).content)["errcode"] == "M_NOT_FOUND"
    assert len(remote.asked("/_matrix/key/v2/server")) == 1
