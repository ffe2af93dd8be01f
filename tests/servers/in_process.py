"""The built server inside this process, asked through WSGI: no sockets, and everything it is made of within reach."""

from __future__ import annotations

import hashlib
import hmac
import io
import itertools
import json
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from core.app import App, build
from core.config.first_start import prepare
from core.config.loader import config_from
from core.storage.consumers import ConsumerRunner
from tests.servers.trellis import SECRET, base_config

PORT = 8448


class InProcess:
    """One server, started; `close` it. The same folder may be opened again."""

    def __init__(self, folder: Path, **config: object) -> None:
        wanted = {**base_config(folder, PORT), **config}
        self.app: App = build(prepare(config_from(wanted, None, {})))
        self.app.start()
        self._numbers = itertools.count(1)

    def close(self) -> None:
        """Stop it."""
        self.app.stop_waiting()
        self.app.close()

    def number(self) -> int:
        """A number nobody had."""
        return next(self._numbers)

    def followers(self) -> list[ConsumerRunner]:
        """Everybody who follows the log durably."""
        app = self.app
        return [*app._consumers, *app.plugins.consumers, app.directory.runner, app.push.counter_runner]

    def catch_up(self) -> None:
        """Wait until everybody has followed the log to where it does not grow any more."""
        tail = self.app.ground.storage.tail
        while any(one.position < tail.position for one in self.followers()):
            for one in self.followers():
                assert one.wait_for(tail.position, 10), f"{one.consumer.name} stays behind"

    def ask(self, method: str, path: str, token: str = "", body: object = None) -> Any:
        """One request's answer. Raises AssertionError where it is an error."""
        sent = b"" if body is None else json.dumps(body).encode()
        bare, _, query = path.partition("?")
        environ = {
            "REQUEST_METHOD": method,
            "PATH_INFO": unquote(bare),
            "RAW_URI": path,
            "QUERY_STRING": query,
            "SERVER_NAME": "localhost",
            "SERVER_PORT": str(PORT),
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": str(len(sent)),
            "wsgi.input": io.BytesIO(sent),
            "wsgi.errors": sys.stderr,
            "wsgi.url_scheme": "http",
            "wsgi.version": (1, 0),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        if token:
            environ["HTTP_AUTHORIZATION"] = f"Bearer {token}"
        status: list[str] = []

        def answer(line: str, headers: list[tuple[str, str]], failed: object = None) -> None:
            status.append(line)

        content = b"".join(self.app.wsgi(environ, answer))
        assert status[0].startswith("2"), (method, path, status, content[:300])
        return json.loads(content)

    def register(self) -> dict[str, Any]:
        """A new account: what the answer says of it."""
        name, path = f"u{self.number()}", "/_synapse/admin/v1/register"
        nonce = self.ask("GET", path)["nonce"]
        mac = hmac.new(SECRET.encode(), "\0".join((nonce, name, "password", "notadmin")).encode(), hashlib.sha1)
        body = {"nonce": nonce, "username": name, "password": "password", "admin": False, "mac": mac.hexdigest()}
        return dict(self.ask("POST", path, body=body))
