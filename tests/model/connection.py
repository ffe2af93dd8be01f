"""An account whose requests cost next to nothing: one open connection and no library, for a hundred thousand of them."""

from __future__ import annotations

import json
import socket
from urllib.parse import urlencode, urlsplit

import orjson

from tests.servers.trellis import Refused, User

READ_BYTES = 1 << 16


class LeanUser(User):
    """A User that speaks just as much HTTP/1.1 as our server needs to be spoken to."""

    def __init__(self, user: User) -> None:
        super().__init__(user.base, user.user_id, user.token, user.device_id)
        address = urlsplit(user.base)
        self._host = address.netloc
        self._socket = socket.create_connection((address.hostname, address.port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def call(self, method: str, path: str, body: object = None, **query: object) -> dict:
        """One request below /_matrix/client."""
        target = f"/_matrix/client{path}" + (f"?{urlencode(query)}" if query else "")
        content = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {target} HTTP/1.1\r\nHost: {self._host}\r\nAuthorization: Bearer {self.token}\r\n"
        self._socket.sendall(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
        status, answer = self._read()
        if status != 200:
            raise Refused(status, orjson.loads(answer))
        found: dict = orjson.loads(answer)
        return found

    def _read(self) -> tuple[int, bytes]:
        """The next answer: its status and body."""
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._receive()
        head, _, body = data.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        length = next(int(line[15:]) for line in lines if line.lower().startswith(b"content-length:"))
        while len(body) < length:
            body += self._receive()
        return int(lines[0].split()[1]), body

    def _receive(self) -> bytes:
        data = self._socket.recv(READ_BYTES)
        assert data, "the server closed the connection"
        return data

    def close(self) -> None:
        """Hang up."""
        self._socket.close()
