"""An answer on its way out: PEP 3333's `start_response` and the writing of head and body in one piece.

The rules are gunicorn's: hop-by-hop headers of the application are dropped, names and values are checked, HEAD, 1xx,
204 and 304 carry no body, an answer of unknown length is chunked on HTTP/1.1 and ends with the connection on 1.0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import time
from typing import Any

from gunicorn import SERVER, util
from gunicorn.http.errors import InvalidResponseHeader, InvalidResponseHeaderName
from gunicorn.http.message import TOKEN_RE
from gunicorn.http.wsgi import STATUS_RE

_PIECE_BYTES = 262_144
"""Longest stretch sent under one timeout."""

_VALUE_CHARACTERS = bytes([9, *range(0x20, 0x7F), *range(0x80, 0x100)])
_MAX_KNOWN_NAMES = 256
_NORMAL, _LENGTH, _HOP = range(3)


class ReplyHeaders:
    """Header names seen and found good, and the date line of this second."""

    def __init__(self) -> None:
        self._names: dict[str, int] = {}
        self._second = 0
        self._common = ""

    def role(self, name: str) -> int:
        """What a header of the application's is: ordinary, the length, or hop-by-hop. Raises on a bad name."""
        role = self._names.get(name)
        if role is not None:
            return role
        if not isinstance(name, str):
            raise TypeError(f"{name!r} is not a string")
        if not TOKEN_RE.fullmatch(name):
            raise InvalidResponseHeaderName(repr(name))
        lower = name.lower()
        role = _LENGTH if lower == "content-length" else _HOP if util.is_hoppish(lower) else _NORMAL
        if len(self._names) < _MAX_KNOWN_NAMES:
            self._names[name] = role
        return role

    def common(self) -> str:
        """The lines every answer has: Server and Date."""
        now = int(time())
        if now != self._second:
            self._second = now
            self._common = f"Server: {SERVER}\r\nDate: {util.http_date(now)}\r\n"
        return self._common


class Reply:
    """One answer. `keep_alive` says afterwards whether the connection may carry another request."""

    __slots__ = (
        "_chunked", "_client", "_headers", "_is_head", "_known", "_left", "_minor", "_no_body", "_status", "is_started",
        "keep_alive",
    )  # fmt: skip

    def __init__(
        self, client: Any, known: ReplyHeaders, *, is_head: bool, minor_version: int, keep_alive: bool
    ) -> None:
        self._client, self._known, self._is_head, self._minor = client, known, is_head, minor_version
        self._status: str | None = None
        self._headers = ""
        self._left: int | None = None
        self._chunked = self._no_body = False
        self.is_started = False
        self.keep_alive = keep_alive

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], None]:
        """PEP 3333: take status and headers; they are sent with the first piece of the body."""
        if exc_info:
            try:
                if self.is_started:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None
        elif self._status is not None:
            raise AssertionError("start_response was called twice without exc_info")
        if not isinstance(status, str) or not STATUS_RE.fullmatch(status):
            raise ValueError(f"Invalid status {status!r}")
        self._status = status
        code = status[:3]
        forbids_length = code == "204" or code[0] == "1"
        self._no_body = self._is_head or forbids_length or code == "304"
        self._left = None
        lines: list[str] = []
        for name, value in headers:
            role = self._known.role(name)
            if role == _HOP:
                continue
            if role == _LENGTH:
                if forbids_length:
                    continue
                self._left = int(value)
            lines.append(f"{name}: {value}\r\n")
        self._headers = "".join(lines)
        if self._headers.encode("latin-1").translate(None, _VALUE_CHARACTERS) != b"\r\n" * len(lines):
            bad = next(name for name, value in headers if set(value) & {"\r", "\n"} or not value.isprintable())
            self._status = None
            raise InvalidResponseHeader(repr(bad))
        return self.write

    def send(self, body: Iterable[bytes]) -> None:
        """Send the whole answer and close `body`."""
        try:
            if isinstance(body, list | tuple) and len(body) > 1:
                self.write(b"".join(body))
            else:
                for piece in body:
                    if piece:
                        self.write(piece)
            self._finish()
        finally:
            close = getattr(body, "close", None)
            if close is not None:
                close()

    def write(self, piece: bytes) -> None:
        """Send a piece of the body, after the head if it is the first. Bytes beyond the stated length are cut off."""
        if self._left is not None and not self._no_body:
            if len(piece) > self._left:
                piece = piece[: self._left]
            self._left -= len(piece)
        if not self.is_started:
            head = self._head()
            if self._no_body:
                self._sendall(head)
            else:
                self._sendall(head + (b"%X\r\n%b\r\n" % (len(piece), piece) if self._chunked else piece))
        elif piece and not self._no_body:
            self._sendall(b"%X\r\n%b\r\n" % (len(piece), piece) if self._chunked else piece)

    def _finish(self) -> None:
        """End the answer; without a piece of body only the head is sent."""
        if not self.is_started:
            if self._status is None:
                raise AssertionError("the application did not call start_response")
            if self._left is None and not self._no_body and self._minor:
                self._left = 0  # nothing came, so the length is known after all
                self._headers += "Content-Length: 0\r\n"
            self._sendall(self._head())
        if self._chunked:
            self._sendall(b"0\r\n\r\n")
        elif self._left and not self._no_body:
            self.keep_alive = False  # less came than was announced: only closing tells the client

    def _head(self) -> bytes:
        """Status line and headers."""
        if self._status is None:
            raise AssertionError("the application wrote before start_response")
        if self._left is None and not self._no_body:
            if self._minor:
                self._chunked = True
            else:
                self.keep_alive = False
        self.is_started = True
        connection = "keep-alive" if self.keep_alive else "close"
        chunked = "Transfer-Encoding: chunked\r\n" if self._chunked else ""
        return (
            f"HTTP/1.{self._minor} {self._status}\r\n{self._known.common()}Connection: {connection}\r\n"
            f"{chunked}{self._headers}\r\n"
        ).encode("latin-1")

    def _sendall(self, data: bytes) -> None:
        """Send everything; the socket's timeout counts for each stretch, so a slow client gets large answers too."""
        if len(data) <= _PIECE_BYTES:
            self._client.sendall(data)
            return
        view = memoryview(data)
        for start in range(0, len(view), _PIECE_BYTES):
            self._client.sendall(view[start : start + _PIECE_BYTES])
