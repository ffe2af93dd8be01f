"""Bodies and queries: what is accepted, and what each mistake is called."""

from __future__ import annotations

import contextlib
import io

import pytest
from flask import request
from hypothesis import given
from hypothesis import strategies as st
from marshmallow.validate import OneOf, Range
from werkzeug.test import Client

from core.errors import BadJson, MissingParam
from core.web.json_body import MAX_DEPTH
from core.web.schemas import (
    Empty,
    EventIdField,
    JsonBool,
    JsonInt,
    JsonList,
    JsonNested,
    JsonObject,
    JsonSchema,
    JsonString,
    QueryBool,
    QueryInt,
    QueryJson,
    QueryString,
    QueryStrings,
    RoomAliasField,
    RoomIdField,
    ServerNameField,
    UserIdField,
    dump,
    json_reply,
    load,
    load_object,
    load_query,
    read_json,
)


class Inner(JsonSchema):
    name = JsonString(required=True)


class Body(JsonSchema):
    flag = JsonBool()
    count = JsonInt(data_key="number", validate=Range(min=0))
    text = JsonString(max_bytes=8)
    user, room, event = UserIdField(), RoomIdField(), EventIdField()
    alias, server = RoomAliasField(), ServerNameField()
    map = JsonObject(JsonInt())
    users = JsonList(UserIdField(), max_items=2)
    inner = JsonNested(Inner)
    nested = JsonList(JsonNested(Inner))


BODY = Body()
KINDS = {"flag": bool, "text": str, "user": str, "map": dict, "users": list, "inner": dict, "nested": list}


class Needy(JsonSchema):
    needed, other = JsonString(required=True), JsonInt()


class Query(JsonSchema):
    limit, full, direction = QueryInt(), QueryBool(), QueryString(data_key="dir", validate=OneOf(["b", "f"]))
    via, filter = QueryStrings(QueryString(max_bytes=5), max_items=3), QueryJson()
    after = QueryString(required=True)


@pytest.fixture
def client(client_of) -> Client:
    bodies = {"body": Body(), "needy": Needy(), "empty": Empty}
    query = Query()
    views = {
        f"POST /{name}": lambda schema=schema: json_reply(load(schema, request)) for name, schema in bodies.items()
    }
    views["POST /content"] = lambda: json_reply(read_json(request))
    views["POST /small"] = lambda: json_reply(load(Empty, request, max_bytes=10))
    views["GET /query"] = lambda: json_reply(load_query(query, request))
    return client_of(views)


@pytest.mark.parametrize(
    ("body", "key"),
    [
        (b'{"flag": 1}', "flag"),
        (b'{"flag": "true"}', "flag"),
        (b'{"flag": null}', "flag"),
        (b'{"number": true}', "number"),
        (b'{"number": 5.0}', "number"),
        (b'{"number": "5"}', "number"),
        (b'{"number": -1}', "number"),
        (b'{"number": 9007199254740992}', "number"),
        (b'{"number": 99999999999999999999999999}', "number"),
        (b'{"text": 5}', "text"),
        (b'{"text": "123456789"}', "text"),
        ('{"text": "ééééé"}'.encode(), "text"),
        (b'{"user": "alice"}', "user"),
        (b'{"user": "@a\\u0000:x"}', "user"),
        (b'{"room": "#a:x"}', "room"),
        (b'{"event": "x"}', "event"),
        (b'{"alias": "#:x"}', "alias"),
        (b'{"server": "a b"}', "server"),
        (b'{"map": []}', "map"),
        (b'{"map": {"a": {"b": 1}}}', "map.a"),
        (b'{"users": {}}', "users"),
        (b'{"users": ["@a:x", 1]}', "users.1"),
        (b'{"users": ["@a:x", "@b:x", "@c:x"]}', "users"),
        (b'{"inner": "x"}', "inner"),
        (b'{"nested": [{"name": "a"}, 5]}', "nested.1"),
    ],
)
def test_a_wrong_value_is_bad_json_and_its_key_is_named(client: Client, body: bytes, key: str) -> None:
    reply = client.post("/body", data=body)
    assert (reply.status_code, reply.json["errcode"]) == (400, "M_BAD_JSON")
    assert reply.json["error"].startswith(f"'{key}' ")


def test_right_values_come_under_the_schemas_names(client: Client) -> None:
    sent = {"flag": True, "number": 3, "text": "12345678", "user": "@a:x", "inner": {"name": "n", "more": 1}, "new": 1}
    assert client.post("/body", json=sent).json == {
        "flag": True, "count": 3, "text": "12345678", "user": "@a:x", "inner": {"name": "n"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("body", "errcode"),
    [
        (b"{", "M_NOT_JSON"),
        (b"\xff\xfe{}", "M_NOT_JSON"),
        (b'{"a": NaN}', "M_NOT_JSON"),
        (b'{"a": "\\ud800"}', "M_NOT_JSON"),
        (b'{"a": 1} x', "M_NOT_JSON"),
        (b"[" * 100_000, "M_NOT_JSON"),
        (b'{"a":' + b"[" * 500 + b"]" * 500 + b"}", "M_BAD_JSON"),
        (b"[]", "M_BAD_JSON"),
        (b"null", "M_BAD_JSON"),
        (b'"text"', "M_BAD_JSON"),
    ],
)
@pytest.mark.parametrize("path", ["/body", "/content"])
def test_what_is_no_json_object_is_refused(client: Client, path: str, body: bytes, errcode: str) -> None:
    reply = client.post(path, data=body)
    assert (reply.status_code, reply.json["errcode"]) == (400, errcode)


def test_the_deepest_nesting_that_is_accepted_can_be_answered(client: Client) -> None:
    levels = MAX_DEPTH - 1
    body = b'{"a":' + b"[" * levels + b"]" * levels + b"}"
    assert client.post("/content", data=body).data == body


def test_many_shallow_objects_are_not_deep(client: Client) -> None:
    assert client.post("/content", json={"a": [{} for _ in range(500)]}).status_code == 200


def test_no_body_passes_where_nothing_is_required(client: Client) -> None:
    assert client.post("/empty").json == {}
    assert client.post("/content").json["errcode"] == "M_NOT_JSON"


def test_a_missing_key_is_called_missing_where_nothing_else_is_wrong(client: Client) -> None:
    assert client.post("/needy").json == {"errcode": "M_MISSING_PARAM", "error": "'needed' is required."}
    assert client.post("/needy", json={"other": "x"}).json["errcode"] == "M_BAD_JSON"
    missing = {"errcode": "M_MISSING_PARAM", "error": "'inner.name' is required."}
    assert client.post("/body", json={"inner": {}}).json == missing


def test_of_a_key_given_twice_the_last_counts(client: Client) -> None:
    assert client.post("/body", data=b'{"flag": true, "flag": false}').json == {"flag": False}


@pytest.mark.parametrize("number", ["1.5", "1e3", "9007199254740992", "-9007199254740992", "1" * 40])
def test_event_content_holds_only_canonical_numbers(client: Client, number: str) -> None:
    reply = client.post("/content", data=f'{{"a": [{{"b": {number}}}]}}')
    assert reply.json["errcode"] == "M_BAD_JSON"
    assert reply.json["error"].startswith("'a.0.b' ")


@pytest.mark.parametrize("body", [b'{"": 1.5}', b'{"a": {"": [{"": 1e400}]}}', b'{"": -9007199254740992}'])
def test_a_number_under_an_empty_key_is_no_exception(client: Client, body: bytes) -> None:
    assert client.post("/content", data=body).status_code == 400


def test_event_content_keeps_every_key(client: Client) -> None:
    content = {"body": "x\0", "n": 9007199254740991, "m": [None, True, {"": -1}]}
    assert client.post("/content", json=content).json == content


def test_a_body_beyond_the_limit_is_too_large(client: Client) -> None:
    reply = client.post("/small", data=b'{"a": "0123456789"}')
    assert (reply.status_code, reply.json["errcode"]) == (413, "M_TOO_LARGE")


def test_a_chunked_body_is_read_up_to_the_limit(client: Client) -> None:
    chunked = {"wsgi.input_terminated": True, "CONTENT_LENGTH": ""}
    send = lambda body: client.post("/small", input_stream=io.BytesIO(body), environ_overrides=chunked)  # noqa: E731
    assert send(b'{"a": 1}').status_code == 200
    assert send(b'{"a": "0123456789"}').status_code == 413


def test_a_body_cut_short_is_refused(client: Client) -> None:
    reply = client.post("/body", input_stream=io.BytesIO(b"{}"), environ_overrides={"CONTENT_LENGTH": "5"})
    assert (reply.status_code, reply.json["errcode"]) == (400, "M_UNKNOWN")


def test_query_parameters_are_read_by_their_kind(client: Client) -> None:
    reply = client.get('/query?limit=-5&full=true&dir=b&via=a&via=b&filter={"a":1}&after=&after=2&other=1')
    assert reply.json == {
        "limit": -5, "full": True, "direction": "b", "via": ["a", "b"], "filter": {"a": 1}, "after": "",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("query", "key"),
    [
        ("limit=5.0", "limit"),
        ("limit=", "limit"),
        ("limit=%D9%A1", "limit"),
        ("limit=99999999999999999999", "limit"),
        ("full=1", "full"),
        ("dir=x", "dir"),
        ("via=a&via=b&via=c&via=d", "via"),
        ("via=toolong", "via"),
        ("filter=[]", "filter"),
        ("filter={", "filter"),
        ("filter=" + "[" * 3000, "filter"),
    ],
)
def test_a_wrong_query_parameter_is_invalid_and_named(client: Client, query: str, key: str) -> None:
    reply = client.get(f"/query?after=1&{query}")
    assert (reply.status_code, reply.json["errcode"]) == (400, "M_INVALID_PARAM")
    assert reply.json["error"].startswith(f"'{key}' ")


def test_a_missing_query_parameter_is_named(client: Client) -> None:
    assert client.get("/query").json == {"errcode": "M_MISSING_PARAM", "error": "'after' is required."}


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10)
KEYS = st.sampled_from([field.data_key or name for name, field in BODY.fields.items()] + ["name"])
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=20
)


@given(JSON)
def test_no_json_is_a_defect(value) -> None:
    with contextlib.suppress(BadJson):
        load_object(BODY, {"map": value, "users": value, "inner": value, "nested": value, "text": value, "user": value})


@given(st.dictionaries(KEYS, JSON, max_size=4))
def test_what_a_schema_accepts_is_of_the_right_kinds(value) -> None:
    with contextlib.suppress(BadJson, MissingParam):
        loaded = load_object(BODY, value)
        assert all(isinstance(loaded[key], kind) for key, kind in KINDS.items() if key in loaded)
        assert type(loaded.get("count", 0)) is int


def test_ready_bytes_are_sent_as_they_are() -> None:
    reply = json_reply(b'{ "a":1}', 201, {"X-A": "b"})
    assert (reply.data, reply.status_code, reply.headers["X-A"]) == (b'{ "a":1}', 201, "b")
    assert reply.headers["Content-Type"] == "application/json"


def test_dump_writes_under_the_wire_names() -> None:
    assert dump(Body(), {"count": 3, "flag": True, "secret": 1}).json == {"number": 3, "flag": True}
    assert dump(Empty, {}).data == b"{}"
