"""Every way a request can fail, and what is answered: one table."""

from __future__ import annotations

import logging

import pytest
from flask import abort, request
from werkzeug.test import Client

from core import errors
from core.web.gate import Gate
from core.web.rate_limits import NoLimits
from core.web.replies import json_reply
from core.web.schemas import Empty, load


class NoTokens:
    def requester_of(self, token: str):
        raise errors.UnknownToken("This access token is not known.", soft_logout=True)

    def seen(self, requester, ip, user_agent) -> None:
        raise AssertionError("nobody was authenticated")


def _raise(error: Exception):
    def view():
        raise error

    return view


@pytest.fixture
def client(client_of) -> Client:
    gate = Gate(NoTokens(), NoLimits())
    raised = {
        "forbidden": errors.Forbidden("No."),
        "notfound": errors.NotFound("No such room."),
        "rule": errors.AuthRuleViolation("4.1", "Not a member."),
        "limit": errors.LimitExceeded("Slow down.", retry_after_ms=1_200, limiter="rc_message"),
        "unavailable": errors.Unavailable("Later."),
        "conflict": errors.Conflict("In use.", errcode="M_ROOM_IN_USE"),
        "toolarge": errors.TooLarge("Too large."),
        "event": errors.EventRefused("No sender."),
        "uia": errors.Unauthorized("More.", session="s"),
        "defect": RuntimeError("the database password is hunter2"),
    }
    views = {f"GET /{name}": _raise(error) for name, error in raised.items()}
    views["GET /abort413"] = lambda: abort(413)
    views["POST /json"] = lambda: json_reply(load(Empty, request))
    views["GET /private"] = lambda: json_reply({"user": gate.authenticate(request).user_id})
    return client_of(views)


TABLE = [
    ("GET", "/nowhere", {}, 404, "M_UNRECOGNIZED"),
    ("GET", "/_matrix/client/v3/nowhere", {}, 404, "M_UNRECOGNIZED"),
    ("DELETE", "/json", {}, 405, "M_UNRECOGNIZED"),
    ("BREW", "/json", {}, 405, "M_UNRECOGNIZED"),
    ("POST", "/json", {"data": b"{nonsense"}, 400, "M_NOT_JSON"),
    ("POST", "/json", {"data": b"[]"}, 400, "M_BAD_JSON"),
    ("POST", "/json", {"data": b" " * 2_000_000}, 413, "M_TOO_LARGE"),
    ("GET", "/private", {}, 401, "M_MISSING_TOKEN"),
    ("GET", "/private", {"headers": {"Authorization": "Basic abc"}}, 401, "M_MISSING_TOKEN"),
    ("GET", "/private", {"headers": {"Authorization": "Bearer "}}, 401, "M_MISSING_TOKEN"),
    ("GET", "/private", {"headers": {"Authorization": "Bearer abc"}}, 401, "M_UNKNOWN_TOKEN"),
    ("GET", "/private?access_token=abc", {}, 401, "M_UNKNOWN_TOKEN"),
    ("GET", "/forbidden", {}, 403, "M_FORBIDDEN"),
    ("GET", "/notfound", {}, 404, "M_NOT_FOUND"),
    ("GET", "/rule", {}, 403, "M_FORBIDDEN"),
    ("GET", "/limit", {}, 429, "M_LIMIT_EXCEEDED"),
    ("GET", "/unavailable", {}, 503, "M_UNKNOWN"),
    ("GET", "/conflict", {}, 409, "M_ROOM_IN_USE"),
    ("GET", "/toolarge", {}, 413, "M_TOO_LARGE"),
    ("GET", "/event", {}, 400, "M_BAD_JSON"),
    ("GET", "/uia", {}, 401, "M_UNAUTHORIZED"),
    ("GET", "/abort413", {}, 413, "M_TOO_LARGE"),
]


@pytest.mark.parametrize(("method", "path", "rest", "status", "errcode"), TABLE)
def test_every_failure_is_answered_in_matrix_form(client, method, path, rest, status, errcode) -> None:
    reply = client.open(path, method=method, **rest)
    assert (reply.status_code, reply.json["errcode"]) == (status, errcode)
    assert reply.json["error"].endswith(".")
    assert reply.headers["Content-Type"] == "application/json"
    assert reply.headers["Access-Control-Allow-Origin"] == "*"


def test_a_refused_method_names_those_allowed(client: Client) -> None:
    assert client.delete("/json").headers["Allow"] == "POST"


def test_a_rate_limit_says_when_to_come_back(client: Client) -> None:
    reply = client.get("/limit")
    assert reply.headers["Retry-After"] == "2"
    assert reply.json["retry_after_ms"] == 1_200
    assert reply.json["limiter"] == "rc_message"


def test_extra_fields_are_part_of_the_answer(client: Client) -> None:
    assert client.get("/private?access_token=a").json["soft_logout"] is True
    assert client.get("/uia").json["session"] == "s"


def test_a_defect_shows_only_the_id_under_which_the_log_has_the_traceback(client: Client, caplog) -> None:
    with caplog.at_level(logging.ERROR, "core.web.errors"):
        reply = client.get("/defect")
    assert (reply.status_code, reply.json["errcode"]) == (500, "M_UNKNOWN")
    assert "hunter2" not in reply.text
    assert reply.json["request_id"] in caplog.text
    assert "hunter2" in caplog.text
