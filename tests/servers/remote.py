"""Another server, as a fake in this process: real TLS on loopback, its own key, JSON that it signs.

It answers for its keys and its version itself; tests give it further answers with `answer`, and read in `requests` what
it was asked. Its name is `localhost:PORT`, or any host that tests make the door resolve to 127.0.0.1.
"""

from __future__ import annotations

import contextlib
import secrets
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson
import requests
from gevent.pywsgi import WSGIHandler, WSGIServer

from core.events.server_keys import OldVerifyKey, build_server_keys
from core.events.signatures import SigningKey
from core.federation.request_signing import authorization
from core.ids import ServerName

HOUR_MS = 3600_000
_CONFIG = """[req]
distinguished_name = dn
x509_extensions = ext
prompt = no
[dn]
CN = {cn}
[ext]
subjectAltName = {names}
basicConstraints = critical,CA:TRUE
"""


@dataclass(frozen=True)
class Certificate:
    """Files of a self-signed certificate, which is its own authority."""

    certificate: Path
    key: Path


def make_certificate(folder: Path, names: str = "DNS:localhost,IP:127.0.0.1") -> Certificate:
    """A certificate for `names`, in the notation of OpenSSL's subjectAltName."""
    certificate, key, config = folder / "cert.pem", folder / "key.pem", folder / "openssl.cnf"
    config.write_text(_CONFIG.format(cn="test", names=names))
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-config", config, "-keyout", key, "-out", certificate],
        check=True,
        capture_output=True,
    )  # fmt: skip
    return Certificate(certificate, key)


def new_key(name: str = "a") -> SigningKey:
    """A fresh signing key."""
    return SigningKey(f"ed25519:{name}", secrets.token_bytes(32))


@dataclass(frozen=True)
class Seen:
    """A request that arrived. `target` is as it was sent."""

    method: str
    target: str
    host: str
    authorization: str | None
    body: bytes

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> dict[str, str]:
        """The query's parameters."""
        return dict(parse_qsl(urlsplit(self.target).query))

    @property
    def json(self) -> Any:
        """The body."""
        return orjson.loads(self.body)


Answering = Callable[[Seen], Any]

_names_used: set[int] = set()
"""Ports of all fakes so far. A server under test remembers keys by name, so that no fake may have the name of another."""


def _listen(address: str) -> socket.socket:
    """A listener on a port that no fake has had."""
    refused: list[socket.socket] = []
    while True:
        listener = socket.create_server((address, 0))
        port = listener.getsockname()[1]
        if port not in _names_used:
            break
        refused.append(listener)
    for one in refused:
        one.close()
    _names_used.add(port)
    return listener


class Reply:
    """An answer other than 200 and JSON."""

    def __init__(self, status: str, body: Any = b"", headers: list[tuple[str, str]] | None = None) -> None:
        self.status, self.headers = status, headers or [("Content-Type", "application/json")]
        self.body = body if isinstance(body, bytes) else orjson.dumps(body)


class _RawTarget(WSGIHandler):
    """Hands the target on as it was sent."""

    def get_environ(self) -> dict[str, Any]:
        environ: dict[str, Any] = super().get_environ()
        environ["RAW_URI"] = self.path
        return environ


class Remote:
    """The fake. `start` before use, `stop` after; `signing_keys` and `old_keys` may be changed at any time."""

    def __init__(self, certificate: Certificate | None, host: str = "localhost", address: str = "127.0.0.1") -> None:
        self.requests: list[Seen] = []
        self.signing_keys = [new_key()]
        self.old_keys: dict[str, OldVerifyKey] = {}
        self.valid_for_ms = 24 * HOUR_MS
        self.is_serving_keys = True
        self._answers: dict[str, Answering] = {}
        listener = _listen(address)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else each answer waits 40 ms for an ACK
        self.port = listener.getsockname()[1]
        self.name = ServerName(f"{host}:{self.port}")
        options: dict[str, Any] = {}
        self.sni: list[str | None] = []
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate.certificate, certificate.key)
            context.sni_callback = lambda _socket, name, _context: self.sni.append(name)
            options["ssl_context"] = context
        self._server = WSGIServer(listener, self._serve, log=None, error_log=None, handler_class=_RawTarget, **options)

    def start(self) -> Remote:
        """Listen."""
        self._server.start()
        return self

    def stop(self) -> None:
        """Close the listener and every connection."""
        self._server.stop(timeout=0.1)

    def answer(self, path: str, answering: Answering | Any) -> None:
        """Answer requests whose path starts with `path`; with JSON, a Reply, or what a function of the request returns.

        The longest path that fits counts.
        """
        self._answers[path] = answering if callable(answering) else lambda _seen: answering

    def asked(self, path: str) -> list[Seen]:
        """The requests that arrived under a path."""
        return [seen for seen in self.requests if seen.path.startswith(path)]

    def published_keys(self) -> dict[str, Any]:
        """The key object, signed with every signing key."""
        until = int(time.time() * 1000) + self.valid_for_ms
        return build_server_keys(self.name, self.signing_keys, self.old_keys, until)

    def authorization(
        self, method: str, target: str, destination: str, body: bytes | None = None, **changed: Any
    ) -> str:
        """The Authorization header of a request from here; `origin` and `key` may be other than this server's."""
        origin, key = changed.get("origin", self.name), changed.get("key", self.signing_keys[0])
        return authorization(method, target, origin, ServerName(destination), body, key)

    def call(self, base: str, destination: str, method: str, target: str, content: Any = None) -> requests.Response:
        """A signed request to a server under test."""
        body = None if content is None else orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
        headers = {"Authorization": self.authorization(method, target, destination, body)}
        with requests.Session() as session:
            session.trust_env = False
            return session.request(method, base + target, data=body, headers=headers, timeout=30)

    def _serve(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        seen = Seen(
            environ["REQUEST_METHOD"],
            environ["RAW_URI"],
            environ.get("HTTP_HOST", ""),
            environ.get("HTTP_AUTHORIZATION"),
            environ["wsgi.input"].read(length),
        )
        self.requests.append(seen)
        reply = self._reply(seen)
        start_response(reply.status, [*reply.headers, ("Content-Length", str(len(reply.body)))])
        return [reply.body]

    def _reply(self, seen: Seen) -> Reply:
        fitting = [path for path in self._answers if seen.path.startswith(path)]
        if fitting:
            found = self._answers[max(fitting, key=len)](seen)
            return found if isinstance(found, Reply) else Reply("200 OK", found)
        if seen.path.startswith("/_matrix/key/v2/server") and self.is_serving_keys:
            return Reply("200 OK", self.published_keys())
        if seen.path == "/_matrix/federation/v1/version":
            return Reply("200 OK", {"server": {"name": "Fake", "version": "1"}})
        return Reply("404 Not Found", {"errcode": "M_UNRECOGNIZED", "error": "The fake has no answer to this."})


@contextlib.contextmanager
def running(certificate: Certificate | None, host: str = "localhost", address: str = "127.0.0.1") -> Iterator[Remote]:
    """A fake for the length of a block, listening at `address`."""
    remote = Remote(certificate, host, address).start()
    try:
        yield remote
    finally:
        remote.stop()
