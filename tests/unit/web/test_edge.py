"""Pre-flight requests, CORS, the logs and the request metrics."""

from __future__ import annotations

import json
import logging

import pytest
from flask import Blueprint, request
from prometheus_client import CollectorRegistry, generate_latest
from werkzeug.test import Client

from core.web.connections import WAITED_KEY
from core.web.factory import create_app
from core.web.replies import json_reply
from core.web.request_ids import REQUEST_ID, RequestIdFilter
from core.web.request_log import redacted
from core.web.request_metrics import RequestMetrics
from core.web.settings import ListenerSettings, WebSettings


def test_a_preflight_is_answered_without_asking_the_view(client_of) -> None:
    def never():
        raise AssertionError("the view was asked")

    reply = client_of({"PUT /x": never}).options("/x")
    assert (reply.status_code, reply.data) == (204, b"")
    assert reply.headers["Access-Control-Allow-Origin"] == "*"
    assert "PUT" in reply.headers["Access-Control-Allow-Methods"]
    assert "Authorization" in reply.headers["Access-Control-Allow-Headers"]


def test_head_is_answered_like_get_without_a_body(client_of) -> None:
    reply = client_of({"/x": lambda: json_reply({"a": 1})}).head("/x")
    assert (reply.status_code, reply.data, reply.headers["Content-Length"]) == (200, b"", "7")


def test_every_request_has_an_id_of_its_own(client_of) -> None:
    client = client_of({"/x": lambda: json_reply({"id": REQUEST_ID.get()})})
    assert len({client.get("/x").json["id"] for _ in range(5)}) == 5


@pytest.mark.parametrize(("sent", "is_taken"), [("proxy-1", True), ("", False), ("x" * 101, False), ("a\x1bb", False)])
def test_a_proxy_may_give_the_request_its_id(client_of, sent: str, is_taken: bool) -> None:
    settings = WebSettings(default_listener=ListenerSettings(request_id_header="X-Request-Id"))
    client = client_of({"/x": lambda: json_reply({"id": REQUEST_ID.get()})}, settings)
    reply = client.get("/x", environ_overrides={"HTTP_X_REQUEST_ID": sent})
    assert (reply.json["id"] == sent) == is_taken


def test_log_records_carry_the_request_id() -> None:
    record = logging.makeLogRecord({})
    assert RequestIdFilter().filter(record)
    assert record.request_id == REQUEST_ID.get()


@pytest.mark.parametrize("form", ["text", "json"])
def test_the_access_log_names_the_request_and_no_token(client_of, caplog, form: str) -> None:
    client = client_of({"/x": lambda: json_reply({})}, WebSettings(access_log=form))
    with caplog.at_level(logging.INFO, "core.access"):
        client.get("/x?access_token=hunter2&since=s1", headers={"Authorization": "Bearer hunter3"})
    (line,) = caplog.messages
    assert "hunter" not in line
    assert "/x?access_token=<redacted>&since=s1" in line
    if form == "json":
        assert {"method": "GET", "status": 200, "endpoint": "test.view0"}.items() <= json.loads(line).items()


@pytest.mark.parametrize(
    ("target", "line"),
    [
        ("/a?access%5Ftoken=x&b=c", "/a?access%5Ftoken=<redacted>&b=c"),
        ("/a?loginToken=x&client_secret=y", "/a?loginToken=<redacted>&client_secret=<redacted>"),
        ("/a?access_token", "/a?access_token"),
        ("/a\nb\x1b", "/a%0Ab%1B"),
        ("/a?", "/a?"),
    ],
)
def test_a_logged_target_holds_no_secret_and_stays_on_one_line(target: str, line: str) -> None:
    assert redacted(target) == line


def slow_lines(client_of, caplog, waited_s: float) -> list[str]:
    def view():
        request.environ[WAITED_KEY] = waited_s
        return json_reply({})

    client = client_of({"/x": view}, WebSettings(slow_request_ms=-1))
    with caplog.at_level(logging.WARNING, "core.web.slow"):
        client.get("/x")
    return caplog.messages


def test_a_slow_request_is_logged(client_of, caplog) -> None:
    (line,) = slow_lines(client_of, caplog, 0)
    assert "GET test.view0" in line


def test_time_spent_waiting_on_purpose_is_not_slow(client_of, caplog) -> None:
    assert slow_lines(client_of, caplog, 60) == []


def test_requests_are_counted_by_endpoint_method_and_status() -> None:
    registry = CollectorRegistry()
    bp = Blueprint("typing", __name__)
    bp.add_url_rule("/rooms/<room_id>", "get_typing", lambda room_id: json_reply({}))
    client = Client(create_app([bp], WebSettings(), RequestMetrics(registry)))
    for path in ("/rooms/!a:x", "/rooms/!b:x", "/nowhere"):
        client.get(path)
    client.open("/rooms/!a:x", method="BREW")
    text = generate_latest(registry).decode()
    assert 'trellis_http_requests_total{code="200",endpoint="typing.get_typing",method="GET"} 2.0' in text
    assert 'trellis_http_requests_total{code="404",endpoint="unrecognized",method="GET"} 1.0' in text
    assert 'trellis_http_requests_total{code="405",endpoint="unrecognized",method="OTHER"} 1.0' in text
    assert 'trellis_http_request_duration_seconds_count{endpoint="typing.get_typing",method="GET"} 2.0' in text
