"""Routing on the raw path."""

from __future__ import annotations

import pytest
from flask import request
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import Client

from core.web.paths import raw_target
from core.web.replies import json_reply

STATE = "/_matrix/client/v3/rooms/<room_id>/state/<event_type>"


@pytest.fixture(scope="module")
def junk_client(client_of) -> Client:
    def echo(room_id: str):
        return json_reply({"room_id": room_id, "arguments": request.args.to_dict()})

    return client_of({"/_matrix/client/v3/rooms/<room_id>": echo})


@pytest.fixture
def client(client_of) -> Client:
    def echo(**parameters):
        return json_reply(parameters)

    return client_of({STATE: echo, f"{STATE}/<state_key>": echo, "/_matrix/media/v3/file/<path:rest>": echo})


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("/rooms/!a%2Fb:x/state/m.room.name", {"room_id": "!a/b:x", "event_type": "m.room.name"}),
        ("/rooms/%21a%252Fb%3Ax/state/m.x", {"room_id": "!a%2Fb:x", "event_type": "m.x"}),
        ("/rooms/!a:x/state/m.x/", {"room_id": "!a:x", "event_type": "m.x"}),
        ("/rooms/!a:x/state/m.x/%2F", {"room_id": "!a:x", "event_type": "m.x", "state_key": "/"}),
        ("/rooms/!a:x/state/m.x/..%2F..", {"room_id": "!a:x", "event_type": "m.x", "state_key": "../.."}),
        ("/rooms/!%C3%A9:x/state/m.x", {"room_id": "!é:x", "event_type": "m.x"}),
        ("/rooms/!a+b:x/state/100%", {"room_id": "!a+b:x", "event_type": "100%"}),
    ],
)
def test_path_parameters_arrive_decoded_and_whole(client: Client, path: str, parameters: dict[str, str]) -> None:
    assert client.get(f"/_matrix/client/v3{path}").json == parameters


def test_r0_is_served_as_v3(client: Client) -> None:
    assert client.get("/_matrix/client/r0/rooms/!a:x/state/m.x").json == {"room_id": "!a:x", "event_type": "m.x"}
    assert client.get("/_matrix/media/r0/file/a/b%2Fc").json == {"rest": "a/b/c"}


def test_v1_is_no_alias(client: Client) -> None:
    assert client.get("/_matrix/client/v1/rooms/!a:x/state/m.x").status_code == 404


def test_repeated_slashes_at_the_start_are_one(client: Client) -> None:
    assert client.get("//_matrix/client/v3/rooms/!a:x/state/m.x").status_code == 200


def test_an_empty_segment_is_no_parameter(client: Client) -> None:
    assert client.get("/_matrix/client/v3/rooms//state/m.x").status_code == 404


def test_a_segment_that_is_not_utf8_is_refused(client: Client) -> None:
    reply = client.get("/_matrix/client/v3/rooms/%FF/state/m.x")
    assert (reply.status_code, reply.json["errcode"]) == (400, "M_INVALID_PARAM")


@pytest.mark.parametrize(
    "target", ["http://x/_matrix/client/v3/rooms/!a:x/state/m.x?q", "*", "http://[/", "x", "/\xe9", "?"]
)
def test_odd_request_targets_are_answered(client: Client, target: str) -> None:
    reply = client.get("/", environ_overrides={"RAW_URI": target})
    assert reply.status_code == (200 if target.startswith("http://x/") else 404)


def test_any_host_header_is_answered(client: Client) -> None:
    reply = client.get("/_matrix/client/v3/rooms/!a:x/state/m.x", headers={"Host": "<b>:nonsense:99999"})
    assert reply.status_code == 200


@given(
    st.text(st.characters(max_codepoint=255), max_size=80),
    st.sampled_from(["", "/", "http://", "/_matrix/client/v3/rooms/"]),
)
def test_no_request_target_is_a_defect(junk_client: Client, text: str, start: str) -> None:
    reply = junk_client.get("/", environ_overrides={"RAW_URI": start + text, "QUERY_STRING": text})
    assert reply.status_code in {200, 400, 404}


def test_a_bytewise_path_is_routed_as_utf8(client: Client) -> None:
    raw = {"RAW_URI": "/_matrix/client/v3/rooms/!\xc3\xa9:x/state/m.x"}
    assert client.get("/", environ_overrides=raw).json["room_id"] == "!é:x"


def test_the_raw_target_is_what_was_sent() -> None:
    assert raw_target({"RAW_URI": "/a%2fb?c=%20", "PATH_INFO": "/a/b"}) == "/a%2fb?c=%20"
    assert raw_target({"PATH_INFO": "/a b", "QUERY_STRING": "c=d"}) == "/a%20b?c=d"
