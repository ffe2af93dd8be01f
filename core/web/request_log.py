"""The access log and the log of slow requests.

Neither ever holds a secret: query parameters that are tokens are replaced, headers and bodies are not logged. A proxy
in front logs more cheaply, so the access log is off unless asked for.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_plus

import orjson

from core.web.paths import raw_target
from core.web.request_ids import REQUEST_ID

_access = logging.getLogger("core.access")
_slow = logging.getLogger("core.web.slow")

_SECRET_PARAMETERS = frozenset({"access_token", "client_secret", "login_token", "logintoken", "token", "sig", "nonce"})


class RequestLog:
    """Writes one line per request (`form` "text" or "json"), or only those slower than `slow_ms`, or none."""

    def __init__(self, form: str, slow_ms: int) -> None:
        self._form = form
        self._slow_s = slow_ms / 1000 if slow_ms else float("inf")
        self._shortest = self._slow_s if form == "off" else -1.0

    def is_wanted(self, seconds: float) -> bool:
        """Whether a request that took so long may need a line."""
        return seconds > self._shortest

    def write(self, environ: Mapping[str, Any], endpoint: str, code: str, seconds: float, waited_s: float) -> None:
        """Log one request; `waited_s` of its seconds were spent waiting on purpose."""
        if self._form != "off":
            line = _json_line if self._form == "json" else _text_line
            _access.info("%s", line(environ, endpoint, code, seconds))
        if seconds - waited_s > self._slow_s:
            _slow.warning(
                "Request %s was slow: %s %s took %.0f ms, %.0f of them waiting on purpose",
                REQUEST_ID.get(), environ["REQUEST_METHOD"], endpoint, seconds * 1000, waited_s * 1000,
            )  # fmt: skip


def redacted(target: str) -> str:
    """The request target with the values of secret query parameters replaced, and nothing that could end a line."""
    path, mark, query = target.partition("?")
    parts = [_redacted_parameter(part) for part in query.split("&")] if query else []
    return "".join(c if " " < c < "\x7f" else f"%{ord(c) & 255:02X}" for c in path + mark + "&".join(parts))


def _redacted_parameter(parameter: str) -> str:
    name, equals, _ = parameter.partition("=")
    return f"{name}=<redacted>" if equals and unquote_plus(name).lower() in _SECRET_PARAMETERS else parameter


def _text_line(environ: Mapping[str, Any], endpoint: str, code: str, seconds: float) -> str:
    target = redacted(raw_target(environ))
    return (
        f"{environ.get('REMOTE_ADDR') or '-'} {REQUEST_ID.get()} {environ['REQUEST_METHOD']} {target} {code} "
        f"{seconds * 1000:.1f}ms {endpoint}"
    )


def _json_line(environ: Mapping[str, Any], endpoint: str, code: str, seconds: float) -> str:
    line = {
        "request_id": REQUEST_ID.get(),
        "address": environ.get("REMOTE_ADDR") or None,
        "method": environ["REQUEST_METHOD"],
        "target": redacted(raw_target(environ)),
        "endpoint": endpoint,
        "status": int(code),
        "duration_ms": round(seconds * 1000, 1),
        "user_agent": environ.get("HTTP_USER_AGENT", "").encode("latin-1", "replace").decode("utf-8", "replace"),
    }
    return orjson.dumps(line).decode()
