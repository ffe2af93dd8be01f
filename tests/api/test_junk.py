"""Junk thrown at every operation of the specification: no answer is a 500, and every refusal is in Matrix form.

Opt-in (`--run-soak`): `TRELLIS_SPEC` names the folder with the specification's `data/api`, and `TRELLIS_URL` a running
server with, where given, `TRELLIS_TOKEN` as the access token; without a URL the ground floor is tried in process.
Requests are generated from the OpenAPI files by schemathesis, half of them against their schemas.
"""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import Client

from core.api import health, landing
from core.api.client import versions, well_known
from core.ids import ServerName
from core.web.factory import create_app
from core.web.settings import WebSettings

SPEC = Path(os.environ.get("TRELLIS_SPEC", ""))
FILES = sorted(SPEC.glob("data/api/client-server/*.yaml")) + sorted(SPEC.glob("data/api/server-server/*.yaml"))
EXAMPLES = int(os.environ.get("TRELLIS_JUNK_EXAMPLES", "20"))

pytestmark = pytest.mark.soak

Send = Callable[[str, str, dict[str, str], bytes | None], tuple[int, bytes]]


@pytest.fixture(scope="module")
def send() -> Send:
    """Send (method, target, headers, body) and return (status, body) of the answer."""
    url = os.environ.get("TRELLIS_URL")
    if url:
        return lambda method, target, headers, body: _over_http(url.rstrip("/") + target, method, headers, body)
    name = ServerName("example.org")
    blueprints = [
        health.blueprint(),
        landing.blueprint(name),
        versions.blueprint(versions.SupportedFeatures(("v1.11",))),
        well_known.blueprint(well_known.WellKnown(name, "https://example.org/")),
    ]
    client = Client(create_app(blueprints, WebSettings()))

    def in_process(method: str, target: str, headers: dict[str, str], body: bytes | None) -> tuple[int, bytes]:
        reply = client.open(target, method=method, headers=headers, data=body)
        return reply.status_code, reply.data

    return in_process


@pytest.mark.parametrize("file", FILES or [None], ids=lambda file: file.stem if file else "no specification")
def test_junk_is_refused_in_matrix_form(send: Send, file: Path | None) -> None:
    if file is None:
        pytest.skip("TRELLIS_SPEC names no folder with data/api: there are no OpenAPI files to generate from")
    schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")
    schema = schemathesis.openapi.from_path(str(file))
    modes = list(schemathesis.GenerationMode)
    for operation in (result.ok() for result in schema.get_all_operations()):
        cases = st.one_of([operation.as_strategy(generation_mode=mode) for mode in modes])
        _throw(send, cases, schema.raw_schema["servers"][0] if "servers" in schema.raw_schema else {})


def _throw(send: Send, cases: st.SearchStrategy[Any], server: dict[str, Any]) -> None:
    prefix = server.get("variables", {}).get("basePath", {}).get("default", "")

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(cases)
    def check(case: Any) -> None:
        target, headers, body = _request_of(case, prefix)
        status, answer = send(case.method.upper(), target, headers, body)
        assert status < 500, (case.method, target, body, status, answer)
        if status >= 400 and case.method.upper() != "HEAD":
            told = orjson.loads(answer)  # the first 401 of interactive authentication has no errcode
            assert told.get("errcode") or told["flows"], (case.method, target, answer)

    check()


def _request_of(case: Any, prefix: str) -> tuple[str, dict[str, str], bytes | None]:
    path = case.path
    for name, value in (case.path_parameters or {}).items():
        path = path.replace(f"{{{name}}}", quote(str(value), safe="", errors="replace"))
    query = urlencode(case.query or {}, doseq=True, errors="replace")
    headers = {
        name: text
        for name, value in (case.headers or {}).items()
        if (text := str(value)).isascii() and text.isprintable()
    }
    if token := os.environ.get("TRELLIS_TOKEN"):
        headers["Authorization"] = f"Bearer {token}"
    return f"{prefix}{path}" + (f"?{query}" if query else ""), headers, _body_of(case.body)


def _body_of(body: Any) -> bytes | None:
    if isinstance(body, bytes):
        return body
    if not isinstance(body, (dict, list, str, int, float, bool, type(None))):
        return None
    try:
        return orjson.dumps(body)
    except (TypeError, orjson.JSONEncodeError):
        return repr(body).encode("utf-8", "replace")


def _over_http(url: str, method: str, headers: dict[str, str], body: bytes | None) -> tuple[int, bytes]:
    request = urllib.request.Request(url, body, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return reply.status, reply.read()
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, refusal.read()
