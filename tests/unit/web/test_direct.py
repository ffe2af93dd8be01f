"""Direct views: answered without Flask, and nobody can tell by the answer."""

from __future__ import annotations

import json
import re
from functools import partial

import pytest
from flask import Blueprint, Request, abort, has_request_context
from prometheus_client import CollectorRegistry, generate_latest
from werkzeug.test import Client

from core import errors
from core.web.direct import direct
from core.web.factory import create_app
from core.web.request_metrics import RequestMetrics
from core.web.settings import ListenerSettings, WebSettings


@direct
def says_who_calls(asked: Request) -> bytes:
    return b'{"flask":true}' if has_request_context() else b'{"flask":false}'


def _raising(error: Exception) -> direct:
    @direct
    def view(asked: Request) -> bytes:
        raise error

    return view


@direct
def repeats(asked: Request, **parameters: str) -> bytes:
    return json.dumps({"flask": has_request_context(), **parameters}).encode()


@direct
def aborts(asked: Request) -> bytes:
    abort(413)


def test_a_direct_view_is_called_without_flask(client_of) -> None:
    assert client_of({"/x": says_who_calls}).get("/x?a=b").json == {"flask": False}


def test_any_other_spelling_of_the_path_goes_through_flask(client_of) -> None:
    assert client_of({"/x": says_who_calls}).get("/x/").json == {"flask": True}


def test_head_and_wrong_methods_are_flasks(client_of) -> None:
    client = client_of({"/x": says_who_calls})
    head = client.head("/x")
    assert (head.status_code, head.data, head.headers["Content-Length"]) == (200, b"", "14")
    assert client.post("/x").status_code == 405


@pytest.mark.parametrize(
    "view",
    [
        says_who_calls,
        aborts,
        _raising(errors.Forbidden("No.")),
        _raising(errors.LimitExceeded("Slow down.", retry_after_ms=1_200, limiter="rc_message")),
        _raising(errors.UnknownToken("Not known.", soft_logout=True)),
        _raising(RuntimeError("the database password is hunter2")),
    ],
)
def test_the_answer_is_the_same_as_through_flask(client_of, view: direct) -> None:
    client = client_of({"/x": view})
    replies = client.get("/x"), client.get("/x/")
    bodies = [re.sub(rb"[0-9a-f]{6}-[0-9a-f]+|true|false", b"", reply.data) for reply in replies]
    headers = [sorted((name, value) for name, value in reply.headers if name != "Content-Length") for reply in replies]
    assert replies[0].status_code == replies[1].status_code
    assert headers[0] == headers[1]
    assert bodies[0] == bodies[1]


def test_a_direct_view_is_counted_under_its_own_name() -> None:
    registry, bp = CollectorRegistry(), Blueprint("test", __name__)
    bp.get("/x")(says_who_calls)
    client = Client(create_app([bp], WebSettings(), RequestMetrics(registry)))
    client.get("/x"), client.get("/x/")
    counted = 'trellis_http_requests_total{code="200",endpoint="test.says_who_calls",method="GET"} 2.0'
    assert counted in generate_latest(registry).decode()


def test_a_listener_that_does_not_offer_the_path_has_no_direct_view_either(client_of) -> None:
    settings = WebSettings(default_listener=ListenerSettings(resources=frozenset({"federation"})))
    assert client_of({"/_matrix/client/x": says_who_calls}, settings).get("/_matrix/client/x").status_code == 404


ROUTES = {"/rooms/<room>/state": repeats, "/rooms/<room>/state/<kind>": repeats}


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("/rooms/%21a%2Fb:c/state", {"room": "!a/b:c"}),
        ("/rooms/!a:c/state/m.room.topic?x=/y", {"room": "!a:c", "kind": "m.room.topic"}),
        ("/rooms/state/state/%C3%A4", {"room": "state", "kind": "ä"}),
    ],
)
def test_parameters_of_the_path_arrive_decoded(client_of, path, parameters) -> None:
    assert client_of(ROUTES).get(path).json == {"flask": False, **parameters}


@pytest.mark.parametrize("path", ["/rooms//state", "/rooms/!a:c/state/", "/rooms/!a:c/state/a/b", "/rooms/%ff/state"])
def test_a_path_that_does_not_fit_is_answered_as_by_flask(client_of, path) -> None:
    direct_answer = client_of(ROUTES).get(path)
    plain = client_of({rule: partial(repeats) for rule in ROUTES}).get(path)  # which hides what they are
    assert (direct_answer.status_code, direct_answer.data) == (plain.status_code, plain.data)


def test_of_two_views_the_one_that_spells_out_more_is_meant(client_of) -> None:
    client = client_of({"/a/<x>/<y>": repeats, "/a/<x>/z": repeats, "/a/b/<z>": repeats})
    assert client.get("/a/1/z").json == {"flask": False, "x": "1"}
    assert client.get("/a/1/2").json == {"flask": False, "x": "1", "y": "2"}
    assert client.get("/a/b/z").json == {"flask": False, "z": "z"}
