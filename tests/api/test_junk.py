"""Junk thrown at every operation of the specification: no answer is a 500, and every refusal is in Matrix form.

Opt-in (`--run-soak`): `TRELLIS_SPEC` names the folder with the specification's `data/api`. Requests are generated from
the OpenAPI files by schemathesis, half of them against their schemas, and sent by an administrator to a server with
every resource, which reaches no other machine. Schemathesis's plugin for pytest loads `ssl` before gevent can patch
it: run with PYTEST_DISABLE_PLUGIN_AUTOLOAD=1.
"""

from __future__ import annotations

import os
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.servers.trellis import Server, User

SPEC = Path(os.environ.get("TRELLIS_SPEC", ""))
FILES = sorted(SPEC.glob("data/api/client-server/*.yaml")) + sorted(SPEC.glob("data/api/server-server/*.yaml"))
EXAMPLES = int(os.environ.get("TRELLIS_JUNK_EXAMPLES", "20"))

pytestmark = pytest.mark.soak

OPEN = {"enable_registration_without_verification": True, "allow_guest_access": True}

NO_ANSWER = (502, 503, 504)
"""What a client is told where another server gave no answer, or a bad one."""
ASKS_ANOTHER_SERVER = (
    r"^(/media/(download|thumbnail)/|/media/v3/(download|thumbnail)/|/profile/|/directory/room/|/publicRooms$|/join/"
    r"|/knock/|/rooms/\{roomId\}/(join|invite|leave|hierarchy)$|/room_summary/|/keys/(query|claim)$|/account/3pid(/|$)|/account/deactivate$)"
)
"""The operations that may have to ask the server which an id of the request names."""

WAITS = re.compile(r"/(sync|events)$")
"""The long polls: they are asked to answer at once, since waiting is no junk and takes half a minute."""

Send = Callable[[str, str, dict[str, str], bytes | None], tuple[int, bytes]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with everything on."""
    server = Server(tmp_path_factory.mktemp("junk"), enable_registration=True, **OPEN)
    names = ["client", "federation", "keys", "openid", "media", "metrics", "health"]
    server.config["listeners"][0]["resources"] = [{"names": names}]
    server.rewrite_config()
    yield server.start()
    assert server.stop() == 0
    assert "Traceback" not in (server.folder / "homeserver.log").read_text()


@pytest.fixture(scope="module")
def send(server: Server) -> Send:
    """Send (method, target, headers, body) and return (status, body) of the answer."""
    keeper = server.register(admin=True)

    def over_http(method: str, target: str, headers: dict[str, str], body: bytes | None) -> tuple[int, bytes]:
        status, answer = _over_http(server.base + target, method, _as(keeper, headers), body)
        if status == 401 and b"M_UNKNOWN_TOKEN" in answer:  # an operation has logged it out
            renewed = server.register(admin=True)
            keeper.token = renewed.token
        return status, answer

    return over_http


def _as(user: User, headers: dict[str, str]) -> dict[str, str]:
    return {**headers, "Authorization": f"Bearer {user.token}"}


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
        if status >= 500:
            assert status in NO_ANSWER, (case.method, target, body, status, answer)
            assert re.search(ASKS_ANOTHER_SERVER, case.path), (case.method, target, body, status, answer)
        if status >= 400 and case.method.upper() != "HEAD":
            told = orjson.loads(answer)  # the first 401 of interactive authentication has no errcode
            assert told.get("errcode") or told["flows"], (case.method, target, answer)

    check()


def _request_of(case: Any, prefix: str) -> tuple[str, dict[str, str], bytes | None]:
    path = case.path.strip()
    for name, value in (case.path_parameters or {}).items():
        path = path.replace(f"{{{name}}}", quote(str(value), safe="", errors="replace"))
    asked = dict(case.query or {})
    if WAITS.search(path) and str(asked.get("timeout", "30000")).isdecimal():
        asked["timeout"] = "0"
    query = urlencode(asked, doseq=True, errors="replace")
    headers = {
        name: text
        for name, value in (case.headers or {}).items()
        if (text := str(value)).isascii() and text.isprintable()
    }
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
