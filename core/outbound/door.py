"""One exchange with one endpoint: a request, and an answer that is read within limits."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import gevent

from core.errors import MatrixError
from core.outbound.connecting import Connection, Connector, Endpoint, now
from core.outbound.connections import Connections, is_reusable
from core.outbound.failures import BrokenAnswer, NoAnswer, NotConnected, TookTooLong

if TYPE_CHECKING:
    from urllib3.response import HTTPResponse

PIECE_BYTES = 65_536
"""How much of a body is read at once."""
USER_AGENT = "Trellis"


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked. `target` is the path with the query, as it goes onto the wire; `host` is the Host header."""

    method: str
    target: str
    host: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    timeout_ms: int = 60_000


class Answer:
    """An answer whose body is still to be read, once and within the request's time."""

    def __init__(self, response: HTTPResponse, deadline: float, where: str) -> None:
        self.status: int = response.status
        self.headers: Mapping[str, str] = MappingProxyType({k.lower(): v for k, v in response.headers.items()})
        """Names in lower case; of a header given several times the values are joined by commas."""
        self._response = response
        self._deadline = deadline
        self._where = where

    def read(self, max_bytes: int) -> bytes:
        """The whole body. Raises BrokenAnswer where it is longer, NoAnswer where it does not come."""
        return b"".join(self.pieces(max_bytes))

    def pieces(self, max_bytes: int) -> Iterator[bytes]:
        """The body as it arrives. Raises as `read`."""
        left = max_bytes
        announced = self.headers.get("content-length", "")
        if announced.isdigit() and int(announced) > max_bytes and "content-encoding" not in self.headers:
            raise self._too_long(max_bytes)
        while piece := self._piece():
            left -= len(piece)
            if left < 0:
                raise self._too_long(max_bytes)
            yield piece

    def _piece(self) -> bytes:
        with _Limit(self._deadline, self._where):
            try:
                return self._response.read(PIECE_BYTES, decode_content=True)
            except _library_errors() as error:
                raise _failure(error, self._where, "while it answered") from error

    def _too_long(self, max_bytes: int) -> BrokenAnswer:
        return BrokenAnswer(f"The answer of {self._where} is longer than the {max_bytes} bytes allowed.")


class Door:
    """Makes exchanges. Every request of the server to another machine is one of these."""

    def __init__(self, connector: Connector, total_connections: int) -> None:
        self._connector = connector
        self._connections = Connections(connector, total_connections)
        self.requests = 0
        """How many answers were asked for since the start."""
        self.failures: dict[str, int] = {}
        """How many got none, by the name of the error's class: AddressRefused, TookTooLong, …"""

    @property
    def opened_connections(self) -> int:
        """How many connections have been opened since the start."""
        return self._connections.opened

    @property
    def open_connections(self) -> int:
        """How many connections are open, idle ones included."""
        return self._connections.open

    @contextmanager
    def open(self, endpoint: Endpoint, request: Request) -> Iterator[Answer]:
        """Ask, and lend the answer for the length of the block; what of it is not read then is given up.

        Raises NoAnswer with a sentence saying why, AddressRefused.
        """
        deadline = now() + request.timeout_ms / 1000
        self.requests += 1
        try:
            connection, response = self._exchange(endpoint, request, deadline)
        except MatrixError as error:
            name = type(error).__name__
            self.failures[name] = self.failures.get(name, 0) + 1
            raise
        is_complete = False
        try:
            yield Answer(response, deadline, request.host)
            is_complete = response.closed
        finally:
            self._connections.give_back(endpoint, connection, is_reusable=is_reusable(connection, is_complete))

    def close(self) -> None:
        """Close the connections that are kept."""
        self._connections.close()

    def _exchange(self, endpoint: Endpoint, request: Request, deadline: float) -> tuple[Connection, HTTPResponse]:
        """Send the request and read the head of the answer, once more where a kept connection turned out to be dead."""
        for is_last in (False, True):
            with _Limit(deadline, request.host):
                connection, was_used = self._connections.take(endpoint, fresh=is_last)
                try:
                    return connection, self._ask(connection, endpoint, request)
                except BaseException as error:
                    self._connections.give_back(endpoint, connection, is_reusable=False)
                    if not isinstance(error, _library_errors()):
                        raise
                    if is_last or not (was_used and _closed_before_answering(error) and request.method != "POST"):
                        raise _failure(error, request.host, "before it answered") from error
        raise AssertionError("the second try returns or raises")

    def _ask(self, connection: Connection, endpoint: Endpoint, request: Request) -> HTTPResponse:
        target, headers = request.target, {"User-Agent": USER_AGENT, "Host": request.host, **request.headers}
        if endpoint.tls_name is None:
            proxy = self._connector.proxy_for(endpoint)
            if proxy is not None:  # without a tunnel the proxy has to be told whom the request is for
                target, headers = f"http://{request.host}{target}", {**headers, **proxy.headers}
        connection.timeout = request.timeout_ms / 1000
        connection.request(request.method, target, request.body, headers, preload_content=False)
        return connection.getresponse()


class _Limit:
    """Around a block: raises TookTooLong where it is not done by the deadline.

    Inside, time that is over is gevent's own Timeout, which nobody takes for an answer: a lookup shared with others is
    taken over by one of them.
    """

    __slots__ = ("_timeout", "_where")

    def __init__(self, deadline: float, where: str) -> None:
        self._timeout = gevent.Timeout(max(deadline - now(), 0.001))
        self._where = where

    def __enter__(self) -> None:
        self._timeout.start()

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        self._timeout.close()
        if error is self._timeout:
            raise TookTooLong(f"{self._where} took too long to answer.") from error


def _library_errors() -> tuple[type[Exception], ...]:
    """What a failing exchange raises; urllib3 is loaded with the first connection."""
    from urllib3.exceptions import HTTPError

    return (OSError, http.client.HTTPException, HTTPError, ssl.SSLError, ValueError)


def _closed_before_answering(error: BaseException) -> bool:
    return isinstance(error, (http.client.RemoteDisconnected, ConnectionError)) or "RemoteDisconnected" in repr(error)


def _failure(error: Any, where: str, when: str) -> NoAnswer:
    if isinstance(error, NoAnswer):
        return error
    if isinstance(error, TimeoutError):
        return TookTooLong(f"{where} took too long to answer.")
    if isinstance(error, (ConnectionError, ssl.SSLError)):
        return NotConnected(f"The connection to {where} broke {when}.")
    return BrokenAnswer(f"What {where} answered is not complete HTTP ({type(error).__name__}).")
