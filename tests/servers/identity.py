"""An identity server and a captcha verifier, as fakes in this process: plain HTTP on loopback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs

from gevent.pywsgi import WSGIServer


class FakeIdentity:
    """Sends no text messages: tests say themselves which sessions are validated."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.validated: dict[str, str] = {}

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @contextmanager
    def running(self) -> Iterator[FakeIdentity]:
        """Serve for the length of the block."""
        self._server = WSGIServer(("127.0.0.1", 0), self._application, log=None)
        self._server.start()
        try:
            yield self
        finally:
            self._server.stop(timeout=1)

    def _application(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        path, query = environ["PATH_INFO"], parse_qs(environ["QUERY_STRING"])
        body = environ["wsgi.input"].read()
        status, answer = "200 OK", self._answer(path, query, body)
        if "errcode" in answer:
            status = "400 Bad Request"
        start_response(status, [("Content-Type", "application/json")])
        return [json.dumps(answer).encode()]

    def _answer(self, path: str, query: dict[str, list[str]], body: bytes) -> dict[str, Any]:
        if path == "/siteverify":
            return {"success": parse_qs(body.decode())["response"] == ["human"]}
        if path == "/_matrix/identity/api/v1/validate/msisdn/requestToken":
            asked = json.loads(body)
            self.asked.append(asked)
            return {"sid": f"sid{len(self.asked)}"}
        if path == "/_matrix/identity/api/v1/3pid/getValidated3pid":
            address = self.validated.get(query["sid"][0])
            if address is None:
                return {"errcode": "M_SESSION_NOT_VALIDATED", "error": "not yet"}
            return {"medium": "msisdn", "address": address, "validated_at": 1_700_000_000_000}
        return {"errcode": "M_UNRECOGNIZED", "error": path}
