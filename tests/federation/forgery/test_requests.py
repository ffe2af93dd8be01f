"""Requests that were signed for something else: replayed, turned to another server, or in another's name."""

from __future__ import annotations

import orjson
import pytest
import requests

from tests.servers.remote import new_key

SEND = "/_matrix/federation/v1/send/"


def put(server, target, body, header):
    """A transaction under a header made beforehand."""
    return requests.put(server.base + target, data=body, headers={"Authorization": header}, timeout=30)


def transaction(scene, said):
    """A body that is fit to be sent."""
    _, pdu = scene.hostile.event(said)
    body = {"origin": scene.hostile.remote.name, "origin_server_ts": 1, "pdus": [pdu]}
    return orjson.dumps(body, option=orjson.OPT_SORT_KEYS)


def header(scene, target, body, destination=None, **changed):
    """The header for it."""
    return scene.hostile.remote.authorization("PUT", target, destination or scene.server.name, body, **changed)


def test_a_request_for_another_server_is_refused(plain, beta):
    body = transaction(plain, "misdirected")
    answer = put(plain.server, SEND + "a1", body, header(plain, SEND + "a1", body, destination=beta.name))
    assert (answer.status_code, answer.json()["errcode"]) == (401, "M_UNAUTHORIZED")
    plain.is_usable()


@pytest.mark.parametrize("changed", ["target", "body", "method"])
def test_a_signature_fits_one_request_alone(plain, changed):
    body, other = transaction(plain, "one"), transaction(plain, "two")
    signed = header(plain, SEND + "b1", body)
    if changed == "method":
        headers = {"Authorization": signed}
        answer = requests.get(plain.server.base + "/_matrix/federation/v1/event/$x", headers=headers, timeout=30)
    else:
        target, sent = (SEND + "b2", body) if changed == "target" else (SEND + "b1", other)
        answer = put(plain.server, target, sent, signed)
    assert (answer.status_code, answer.json()["errcode"]) == (401, "M_UNAUTHORIZED")
    plain.is_usable()


def test_a_request_in_anothers_name_is_refused(plain, beta):
    body = transaction(plain, "impostor")
    for origin in (beta.name, plain.server.name):
        answer = put(plain.server, SEND + "c1", body, header(plain, SEND + "c1", body, origin=origin))
        assert (answer.status_code, answer.json()["errcode"]) == (401, "M_UNAUTHORIZED")
    plain.is_usable()


def test_a_request_under_an_unpublished_key_is_refused(plain):
    body = transaction(plain, "own key")
    for key in (new_key(), new_key("fresh")):
        answer = put(plain.server, SEND + "d1", body, header(plain, SEND + "d1", body, key=key))
        assert (answer.status_code, answer.json()["errcode"]) == (401, "M_UNAUTHORIZED")
    plain.is_usable()


def test_a_replayed_transaction_changes_nothing(plain):
    body = transaction(plain, "once")
    signed = header(plain, SEND + "e1", body)
    answers = [put(plain.server, SEND + "e1", body, signed).json() for _ in range(3)]
    assert answers[0] == answers[1] == answers[2]
    plain.is_usable()
    seen = [one["content"].get("body") for one in plain.alice.timelines[plain.room_id]]
    assert seen.count("once") == 1


def test_a_transaction_id_of_one_server_is_not_anothers(plain, beta):
    """The answers that are kept belong to a server and an id."""
    first = plain.hostile.transact(plain.hostile.event("mine")[1], txn_id="shared")
    assert first.status_code == 200
    plain.bob.user.send(plain.room_id, "his")
    plain.is_usable()
