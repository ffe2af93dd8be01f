"""Signed requests to other servers: routed, retried, and remembered where they fail.

A caller says how patient it is: somebody waits for `Patience.short`, nobody for `long`. A server that is down is not
asked at all, except with `is_urgent`, for what a user wants right now of one server and no other.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from random import Random
from typing import Any
from urllib.parse import quote, urlencode

import gevent
import orjson

from core.errors import MatrixError
from core.events.canonical_json import encode
from core.events.signatures import SigningKey
from core.federation.allowed_servers import AllowedServers
from core.federation.backoff import Backoff
from core.federation.discovery import Discovery, Route
from core.federation.remote_errors import RemoteNonsense, RemoteRefusal, read_refusal
from core.federation.request_signing import authorization
from core.ids import ServerName
from core.outbound.door import Answer, Door, Request
from core.outbound.failures import AddressRefused, NoAnswer, TookTooLong

Query = Mapping[str, str | int | Sequence[str]] | None

MAX_ANSWER_BYTES = 10_485_760
"""Longest ordinary answer that is read: 10 MiB."""
MAX_ERROR_BYTES = 65_536
FIRST_PAUSE_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one try may take, how often it is tried anew, and the longest pause before that."""

    timeout_ms: int
    retries: int
    longest_pause_ms: int
    is_urgent: bool = False
    """Whether the server is asked although it has been down."""

    def urgent(self) -> Patience:
        """The same, asking servers that are down as well."""
        return replace(self, is_urgent=True)


@dataclass(frozen=True, slots=True)
class Patiences:
    """The two of the configuration, and one try for what may as well be left."""

    short: Patience
    long: Patience
    once: Patience


@dataclass(frozen=True, slots=True)
class Call:
    """One request to a server. `content` is canonical JSON, or None."""

    server: ServerName
    method: str
    target: str
    content: bytes | None
    patience: Patience
    is_signed: bool = True


class SignedClient:
    """Asks other servers. Everything raised is a MatrixError: Forbidden where the server may not be talked to,
    ServerDown while it is left alone, NoAnswer, RemoteRefusal for its errors, RemoteNonsense for its mistakes.
    """

    def __init__(
        self,
        signing_key: SigningKey,
        allowed: AllowedServers,
        discovery: Discovery,
        door: Door,
        backoff: Backoff,
        patiences: Patiences,
        random: Random | None = None,
    ) -> None:
        self.patiences = patiences
        self._signing_key = signing_key
        self._allowed = allowed
        self._discovery = discovery
        self._door = door
        self._backoff = backoff
        self._random = random or Random()

    def get(
        self,
        server: ServerName,
        path: str,
        query: Query = None,
        patience: Patience | None = None,
        max_bytes: int = MAX_ANSWER_BYTES,
    ) -> dict[str, Any]:
        """The JSON object that a GET is answered with."""
        found: dict[str, Any] = self._json(self._call(server, "GET", path, query, None, patience), max_bytes)
        return found

    def put(
        self,
        server: ServerName,
        path: str,
        content: Mapping[str, Any] | bytes,
        query: Query = None,
        patience: Patience | None = None,
        max_bytes: int = MAX_ANSWER_BYTES,
    ) -> Any:
        """The JSON value that a PUT is answered with; `content` as bytes is canonical JSON."""
        return self._json(self._call(server, "PUT", path, query, content, patience), max_bytes, any_value=True)

    def post(
        self,
        server: ServerName,
        path: str,
        content: Mapping[str, Any] | bytes,
        patience: Patience | None = None,
        max_bytes: int = MAX_ANSWER_BYTES,
    ) -> dict[str, Any]:
        """The JSON object that a POST is answered with."""
        found: dict[str, Any] = self._json(self._call(server, "POST", path, None, content, patience), max_bytes)
        return found

    def ask_unsigned(
        self, server: ServerName, path: str, content: Mapping[str, Any] | None, patience: Patience, max_bytes: int
    ) -> dict[str, Any]:
        """The JSON object that the few endpoints without authentication answer with: a POST of `content`, or a GET."""
        call = self._call(server, "GET" if content is None else "POST", path, None, content, patience)
        found: dict[str, Any] = self._json(replace(call, is_signed=False), max_bytes)
        return found

    @contextmanager
    def open(
        self,
        server: ServerName,
        method: str,
        path: str,
        query: Query = None,
        content: Mapping[str, Any] | bytes | None = None,
        patience: Patience | None = None,
    ) -> Iterator[Answer]:
        """Ask once, and lend an answer of status 200 whose body is to be read in pieces."""
        call = self._call(server, method, path, query, content, patience)
        self._require(call)
        last: MatrixError | None = None
        for route in self._routes(call):
            exchange = self._door.open(route.endpoint, self._request(call, route))
            try:
                answer = exchange.__enter__()
            except (NoAnswer, AddressRefused) as error:
                last = error
                continue
            with _leaving(exchange):
                if answer.status != 200:
                    raise self._refused(call, answer)
                self._backoff.succeeded(server)
                yield answer
                return
        self._backoff.failed(server)
        raise last or NoAnswer(f"There is no way to {server}.")

    def _json(self, call: Call, max_bytes: int, any_value: bool = False) -> Any:
        body = self._retried(call, max_bytes)
        try:
            found = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise RemoteNonsense(call.server, "it is not JSON.") from error
        if not any_value and not isinstance(found, dict):
            raise RemoteNonsense(call.server, "it is not a JSON object.")
        return found

    def _retried(self, call: Call, max_bytes: int) -> bytes:
        """Try, and try again after ever longer pauses. A server that cannot be helped by that raises at once."""
        self._require(call)
        pause = FIRST_PAUSE_SECONDS
        deadline = time.monotonic() + call.patience.timeout_ms / 1000 * (call.patience.retries + 1)
        for tries_left in range(call.patience.retries, -1, -1):
            try:
                body = self._once(call, max_bytes)
            except (NoAnswer, RemoteRefusal) as error:
                wait = self._pause(error, pause, call.patience)
                if not tries_left or wait is None or time.monotonic() + wait > deadline:
                    self._note(call.server, error)
                    raise
                gevent.sleep(wait)
                pause *= 2
            else:
                self._backoff.succeeded(call.server)
                return body
        raise AssertionError("the last try returns or raises")

    def _once(self, call: Call, max_bytes: int) -> bytes:
        """Ask by each route until one leads to an answer."""
        last: MatrixError = NoAnswer(f"There is no way to {call.server}.")
        for route in self._routes(call):
            try:
                with self._door.open(route.endpoint, self._request(call, route)) as answer:
                    if not 200 <= answer.status < 300:
                        raise self._refused(call, answer)
                    return answer.read(max_bytes)
            except TookTooLong:
                raise  # it is there, and busy with the request
            except (NoAnswer, AddressRefused) as error:
                last = error
        raise last

    def _routes(self, call: Call) -> Sequence[Route]:
        return self._discovery.find(call.server).routes

    def _request(self, call: Call, route: Route) -> Request:
        headers = {}
        if call.is_signed:
            headers["Authorization"] = authorization(
                call.method, call.target, self._allowed.own, call.server, call.content, self._signing_key
            )
        if call.content is not None:
            headers["Content-Type"] = "application/json"
        return Request(call.method, call.target, route.host, headers, call.content, call.patience.timeout_ms)

    def _require(self, call: Call) -> None:
        self._allowed.require(call.server)
        if not call.patience.is_urgent:
            self._backoff.require(call.server)

    def _refused(self, call: Call, answer: Answer) -> RemoteRefusal:
        try:
            body = answer.read(MAX_ERROR_BYTES)
        except NoAnswer:
            body = b""
        return read_refusal(call.server, answer.status, body)

    def _pause(self, error: MatrixError, pause: float, patience: Patience) -> float | None:
        """How many seconds to wait before the next try; None where another try would not help."""
        longest = patience.longest_pause_ms / 1000
        if isinstance(error, RemoteRefusal):
            if error.answered_status == 429:
                wanted = error.answered_fields.get("retry_after_ms")
                seconds = wanted / 1000 if type(wanted) is int and wanted > 0 else pause
                return seconds if seconds <= longest else None
            if error.answered_status < 500:
                return None
        return min(pause, longest) * (0.75 + self._random.random() / 2)

    def _note(self, server: ServerName, error: MatrixError) -> None:
        """A server that answers is up, whatever it says; one that says 5xx is as good as down."""
        if isinstance(error, RemoteRefusal) and error.answered_status < 500:
            self._backoff.succeeded(server)
        else:
            self._backoff.failed(server)

    def _call(
        self,
        server: ServerName,
        method: str,
        path: str,
        query: Query,
        content: Mapping[str, Any] | bytes | None,
        patience: Patience | None,
    ) -> Call:
        canonical = content if content is None or isinstance(content, bytes) else encode(content, strict=False)
        return Call(server, method, target_of(path, query), canonical, patience or self.patiences.short)


def path_of(prefix: str, *segments: str) -> str:
    """`prefix` and the segments after it, each encoded: ids may hold slashes."""
    return "/".join((prefix, *(quote(segment, safe="") for segment in segments)))


def target_of(path: str, query: Query) -> str:
    """The path with its query, as it is signed and sent."""
    return f"{path}?{urlencode(query, doseq=True, quote_via=quote)}" if query else path


@contextmanager
def _leaving(exchange: Any) -> Iterator[None]:
    """Leave an exchange that was entered by hand, with the error of the block where there is one."""
    try:
        yield
    except BaseException as error:
        if not exchange.__exit__(type(error), error, error.__traceback__):
            raise
    else:
        exchange.__exit__(None, None, None)
