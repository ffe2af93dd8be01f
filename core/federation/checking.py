"""Looking at another server from outside: is it found, does it answer, may its certificate and keys be believed.

Every finding is a line; a bad one says what is wrong. It uses the same door and the same rules as the server, so what
is well here is well there.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import orjson

from core.errors import MatrixError
from core.events.server_keys import ServerKeys, parse_server_keys
from core.federation.discovery import Discovery, Route
from core.ids import ServerName
from core.outbound.door import Door, Request
from core.outbound.failures import NoAnswer
from core.outbound.names import Names

TIMEOUT_MS = 10_000
MAX_BYTES = 262_144


@dataclass(frozen=True, slots=True)
class Finding:
    """One line; `is_good` None where it only informs."""

    is_good: bool | None
    text: str


class ServerCheck:
    """Checks one server at a time. Nothing is written down, and no request is signed."""

    def __init__(self, names: Names, discovery: Discovery, door: Door) -> None:
        self._names = names
        self._discovery = discovery
        self._door = door

    def run(self, server: ServerName) -> Iterator[Finding]:
        """The findings as they come."""
        try:
            found = self._discovery.find(server)
        except MatrixError as error:
            yield Finding(False, error.sentence)
            return
        for step in found.steps:
            yield Finding(None, step)
        works = 0
        for route in found.routes:
            for finding in self._route(server, route):
                works += finding.is_good is True and finding.text.startswith("Keys")
                yield finding
        if not works:
            yield Finding(False, f"{server} cannot be federated with.")

    def _route(self, server: ServerName, route: Route) -> Iterator[Finding]:
        endpoint = route.endpoint
        try:
            addresses = self._names.addresses(endpoint.host)
        except NoAnswer as error:
            yield Finding(False, error.sentence)
            return
        yield Finding(bool(addresses), f"{endpoint.host} has the addresses {', '.join(addresses) or 'none'}.")
        begun = time.monotonic()
        try:
            status, body = self._get(route, "/_matrix/key/v2/server")
        except MatrixError as error:
            yield Finding(False, error.sentence)
            return
        took = round((time.monotonic() - begun) * 1000)
        yield Finding(True, f"Port {endpoint.port} answers over TLS as {endpoint.tls_name} in {took} ms.")
        yield self._keys(server, status, body)
        yield self._software(route)

    def _keys(self, server: ServerName, status: int, body: bytes) -> Finding:
        if status != 200:
            return Finding(False, f"It answers {status} when asked for its keys; is this port proxied to a homeserver?")
        now = int(time.time() * 1000)
        try:
            keys = parse_server_keys(orjson.loads(body), server, now)
        except orjson.JSONDecodeError:
            return Finding(False, "Its keys are not JSON; is this port proxied to a homeserver?")
        except MatrixError as error:
            return Finding(False, f"Its keys are not good: {error.sentence}")
        return _validity(keys, now)

    def _software(self, route: Route) -> Finding:
        try:
            status, body = self._get(route, "/_matrix/federation/v1/version")
            software = orjson.loads(body if status == 200 else b"{}")["server"]
            return Finding(None, f"It runs {str(software['name'])[:80]} {str(software['version'])[:80]}.")
        except (MatrixError, ValueError, TypeError, KeyError):
            return Finding(None, "It does not say what software it runs.")

    def _get(self, route: Route, path: str) -> tuple[int, bytes]:
        with self._door.open(route.endpoint, Request("GET", path, route.host, timeout_ms=TIMEOUT_MS)) as answer:
            return answer.status, answer.read(MAX_BYTES)


def _validity(keys: ServerKeys, now: int) -> Finding:
    names = ", ".join(keys.verify_keys)
    left_hours = (keys.valid_until_ts - now) / 3600_000
    if left_hours <= 0:
        return Finding(False, f"Its keys ({names}) have run out: valid_until_ts is {-left_hours:.1f} hours ago.")
    return Finding(True, f"Keys: {names}, signed, valid for {left_hours:.1f} hours more.")
