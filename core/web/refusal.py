"""Requests that never reach the application, answered in Matrix form like all others.

gunicorn decides on status and words; only its HTML is replaced.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable
from html import unescape
from typing import Any

_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ([^\r\n]*)")
_DETAIL = re.compile(rb"</h1>(.*?)</body>", re.DOTALL)
_ERRCODES = {403: "M_FORBIDDEN", 413: "M_TOO_LARGE", 414: "M_TOO_LARGE", 431: "M_TOO_LARGE"}
_SEND_S = 2.0


class Captured:
    """Stands for the client's socket while gunicorn writes its answer; everything else is the socket's own."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.written = b""

    def sendall(self, data: bytes) -> None:
        """Keep what would be sent."""
        self.written += data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


def refuse(handle_error: Callable[[Any], None], client: Any) -> None:
    """Let gunicorn answer through `handle_error(socket)`, and send the same as a Matrix error."""
    captured = Captured(client)
    handle_error(captured)
    status = _STATUS.match(captured.written)
    if status is None:
        return
    code, reason = int(status[1]), status[2].decode("latin-1")
    detail = _DETAIL.search(captured.written)
    said = unescape(detail[1].decode("utf-8", "replace")).strip() if detail else ""
    body = json.dumps({"errcode": _ERRCODES.get(code, "M_UNKNOWN"), "error": f"{reason}: {said}" if said else reason})
    client.timeout = _SEND_S
    with contextlib.suppress(OSError):  # the client need not wait for it
        client.sendall(
            f"HTTP/1.1 {code} {reason}\r\nConnection: close\r\nContent-Type: application/json\r\n"
            f"Access-Control-Allow-Origin: *\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
        )
