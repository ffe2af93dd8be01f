"""The short request loop: one connection's requests, read with the C parser and answered in one write each.

Only plain requests take it: a target that is a path, a body of known length, no Transfer-Encoding, Expect or Upgrade.
Everything else, malformed requests included, goes to gunicorn's own parser and response (`stock_request`), which gets
the bytes read so far. So gunicorn's limits and its answers to bad requests hold for both.

Refuses to know the application: it is a WSGI callable, and a listener is a name in the environment.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Protocol
from urllib.parse import unquote_to_bytes

import gevent
import gunicorn_h1c
from gunicorn import util
from gunicorn.http.wsgi import base_environ

from core.web.connections import WAITED_KEY
from core.web.paced_body import LengthBody, PacedSocket
from core.web.reply import Reply, ReplyHeaders
from core.web.stock_request import BrokenRequest, serve_one

MAX_SHORT_BODY_BYTES = 65_536
"""Bodies up to this are read before the application is called; larger ones while it runs."""

_RECV_BYTES = 65_536
_REQUESTS_BEFORE_YIELD = 64
_LONG_WORK_S = 0.002
"""Work of this length calls so deep that what the stack keeps of it is worth a new greenlet: 20 us."""
_LINGER_S, _LINGER_BYTES = 1.0, 1_048_576
_FIRST_REQUEST_S = 0.5
_VISIBLE_ASCII = bytes(range(0x21, 0x7F))
_MAX_KNOWN_NAMES = 512

# what a header name means for the request, beside its key in the environment
_PLAIN, _DROP, _STOCK, _LENGTH, _TYPE, _CONNECTION = range(6)
_ROLES = {
    b"transfer-encoding": _STOCK,
    b"expect": _STOCK,
    b"upgrade": _STOCK,
    b"trailer": _STOCK,
    b"content-length": _LENGTH,
    b"content-type": _TYPE,
    b"connection": _CONNECTION,
}


class IdleClosed(BaseException):
    """Thrown into a connection that waits for its next request: the wait is over."""


class Host(Protocol):
    """What the loop asks of the worker."""

    alive: bool
    cfg: Any
    log: Any
    wsgi: Any

    def count_request(self) -> None:
        """One more request is about to be served."""

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answer a request that could not be served, and log why."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds: between requests, for a request's head, for pauses in its body, for a client to take an answer."""

    keepalive: float = 75.0
    header: float = 30.0
    body: float = 60.0
    send: float = 60.0


@dataclass(slots=True)
class _Plain:
    """A parsed request fit for the short path."""

    environ: dict[str, Any]
    length: int
    consumed: int
    keep_alive: bool
    is_head: bool = field(default=False)

    @property
    def is_streamed(self) -> bool:
        """Whether the application is called before the body is there."""
        return self.length > MAX_SHORT_BODY_BYTES


class RequestLoop:
    """Serves the connections of one listening socket."""

    def __init__(
        self, host: Host, name: str, sockname: Any, *, tls: bool, timeouts: Timeouts, go_on: Callable[..., None]
    ) -> None:
        """`go_on(serve, *arguments)` calls in a fresh greenlet that takes the place of the current one."""
        self._host, self._timeouts, self.sockname, self.name, self.tls = host, timeouts, sockname, name, tls
        self._go_on = go_on
        cfg = host.cfg
        self._template = base_environ(cfg)
        self._template.update(
            {
                "wsgi.multithread": True,
                "wsgi.url_scheme": "https" if tls else "http",
                "trellis.listener": name,
                "SCRIPT_NAME": "",
                "SERVER_NAME": sockname[0] if isinstance(sockname, tuple) else "localhost",
                "SERVER_PORT": str(sockname[1]) if isinstance(sockname, tuple) else "",
            }
        )
        self._parse_limits = {
            "limit_request_line": cfg.limit_request_line,
            "limit_request_fields": cfg.limit_request_fields,
            "limit_request_field_size": cfg.limit_request_field_size,
        }
        self._max_head = cfg.limit_request_line + cfg.limit_request_fields * (cfg.limit_request_field_size + 2) + 4
        self._names: dict[bytes, tuple[int, str]] = {}
        self._stock_names = {name.encode().lower() for name in (*cfg.secure_scheme_headers, *cfg.forwarder_headers)}
        self._reply_headers = ReplyHeaders()
        self._idle: dict[gevent.Greenlet, float] = {}
        self._short = may_use_short_path(cfg)

    def serve(self, client: Any, addr: Any, buffered: bytes = b"", served: int = 0) -> None:
        """Answer every request of one connection, then close it. Raises nothing.

        `buffered` is what has been read of it; `served` requests have been answered by another greenlet.
        """
        linger: bool | None = False
        if isinstance(addr, tuple) and addr[0].startswith("::ffff:"):
            addr = (addr[0][7:], addr[1])  # IPv4 through a socket that serves both families
        try:
            linger = self._serve(client, addr, buffered, served)
        except BrokenRequest as broken:
            linger = True
            self._host.handle_error(broken.request, client, addr, broken.cause)
        except (OSError, IdleClosed, gevent.GreenletExit, StopIteration):
            pass  # the client is gone, or it was told to go
        except (Exception, gevent.Timeout) as error:  # a fault of the application or ours: answered and logged
            self._host.handle_error(None, client, addr, error)
        finally:
            if linger:
                _drain(client)
            if linger is not None:
                util.close(client)

    def close_idle(self, longer_than_s: float = 0.0) -> None:
        """End connections that have waited at least so long for their next request."""
        limit = monotonic() - longer_than_s
        loop = gevent.get_hub().loop
        for greenlet, since in list(self._idle.items()):
            if since <= limit:
                loop.run_callback(self._end_wait, greenlet, since)

    def _end_wait(self, greenlet: gevent.Greenlet, since: float) -> None:
        """In the hub: end a wait, unless a request has come since it was found too long."""
        if self._idle.get(greenlet) == since:
            greenlet.throw(IdleClosed)

    def _serve(self, client: Any, addr: Any, buffered: bytes, served: int) -> bool | None:
        """Serve until the connection is to be closed; returns whether the client may still be sending.

        None says that another greenlet goes on.
        """
        first_since = monotonic() - self._timeouts.keepalive + self._timeouts.header
        while True:
            if not buffered:
                buffered = self._wait(client, first_since) if served == 0 else self._wait(client, monotonic(), 0.0)
                if not buffered:
                    return False
            plain, buffered = self._head(client, addr, buffered) if self._short else (None, buffered)
            client.timeout = self._timeouts.send
            began = monotonic()
            if plain is None:
                keep_alive, buffered = serve_one(self._host, self, client, addr, buffered, self._timeouts)
            else:
                keep_alive, buffered = self._answer(client, plain, buffered)
            if not keep_alive:
                return plain is None or plain.is_streamed or bool(buffered)
            served += 1
            worked_s = monotonic() - began - (0.0 if plain is None else plain.environ.get(WAITED_KEY, 0.0))
            if worked_s > _LONG_WORK_S:
                self._go_on(self.serve, client, addr, buffered, served)
                return None
            if served % _REQUESTS_BEFORE_YIELD == 0:
                gevent.sleep(0.0005)  # a client that always has a request ready must not hold the hub

    def _wait(self, client: Any, since: float, grace_s: float = _FIRST_REQUEST_S) -> bytes:
        """The first bytes of the next request; empty where there is none.

        Once the wait is ended they may take `grace_s` more. A client that has just connected is about to ask, and was
        promised an answer by being accepted: the server that succeeds us cannot give it.
        """
        greenlet = gevent.getcurrent()
        client.timeout = None  # the worker's clock ends the wait, cheaper than a timer for each
        self._idle[greenlet] = since
        try:
            return bytes(client.recv(_RECV_BYTES))
        except IdleClosed:
            client.timeout = grace_s
            return bytes(client.recv(_RECV_BYTES))  # what came in that very moment is still served
        finally:
            self._idle.pop(greenlet, None)

    def _head(self, client: Any, addr: Any, buffered: bytes) -> tuple[_Plain | None, bytes]:
        """Parse the request at the start of `buffered`, reading on as needed; None hands it to gunicorn's parser."""
        deadline = 0.0
        parsed_bytes = 0
        while True:
            try:
                request = gunicorn_h1c.parse_request_fast(buffered, parsed_bytes, **self._parse_limits)
                break
            except gunicorn_h1c.IncompleteError:
                parsed_bytes = len(buffered)
            except Exception:  # refused by the C parser, whatever the reason: gunicorn's finds the right answer
                return None, buffered
            if parsed_bytes > self._max_head:
                return None, buffered
            deadline = deadline or monotonic() + self._timeouts.header
            more = self._recv_until(client, deadline)
            if not more:
                raise ConnectionResetError  # the client went away within a request
            buffered += more
        plain = self._plain(request, client, addr)
        if plain is None or not plain.length or plain.is_streamed:
            return plain, buffered
        return plain, self._with_body(client, buffered, plain)

    def _recv_until(self, client: Any, deadline: float) -> bytes:
        """The next bytes. Answers 408 and raises TimeoutError where none come in time."""
        client.timeout = max(deadline - monotonic(), 0.001)
        try:
            return bytes(client.recv(_RECV_BYTES))
        except TimeoutError:
            client.timeout = 1.0
            client.sendall(b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            raise

    def _with_body(self, client: Any, buffered: bytes, plain: _Plain) -> bytes:
        """`buffered` with the whole body of the request at its start."""
        missing = plain.consumed + plain.length - len(buffered)
        if missing <= 0:
            return buffered
        deadline = monotonic() + self._timeouts.body
        pieces = [buffered]
        while missing > 0:
            more = self._recv_until(client, deadline)
            if not more:
                raise ConnectionResetError
            pieces.append(more)
            missing -= len(more)
        return b"".join(pieces)

    def _plain(self, request: Any, client: Any, addr: Any) -> _Plain | None:
        """The environment of a plain request, PEP 3333 and gunicorn's additions; None if it is not plain."""
        target = request.path
        if target[:1] != b"/" or target[:2] == b"//" or b"#" in target or target.translate(None, _VISIBLE_ASCII):
            return None
        environ = self._template.copy()
        length = request.content_length
        version = request.minor_version
        keep_alive = version == 1
        said_connection = False
        for name, value in request.headers:
            role, key = self._names.get(name) or self._learn(name)
            if role:
                if role == _DROP:
                    continue
                if role == _STOCK or (role == _TYPE and key in environ):
                    return None
                if role == _CONNECTION and not said_connection:
                    said_connection = True
                    word = value.strip(b" \t").lower()
                    keep_alive = word == b"keep-alive" or (word != b"close" and keep_alive)
            text = value.decode("latin-1")
            environ[key] = f"{environ[key]},{text}" if key in environ else text
        uri = target.decode("latin-1")
        path, _, query = uri.partition("?")
        method = request.method.decode("latin-1")
        environ["REQUEST_METHOD"] = method
        environ["RAW_URI"] = uri
        environ["QUERY_STRING"] = query
        environ["PATH_INFO"] = unquote_to_bytes(path).decode("latin-1") if "%" in path else path
        environ["SERVER_PROTOCOL"] = "HTTP/1.1" if version == 1 else "HTTP/1.0"
        environ["gunicorn.socket"] = client
        if isinstance(addr, tuple):
            environ["REMOTE_ADDR"], environ["REMOTE_PORT"] = addr[0], str(addr[1])
        else:
            environ["REMOTE_ADDR"] = ""
        return _Plain(environ, max(length, 0), request.consumed, keep_alive, method == "HEAD")

    def _learn(self, name: bytes) -> tuple[int, str]:
        """Role and environment key of a header name, remembered within bounds."""
        lower = name.lower()
        role = _STOCK if lower in self._stock_names else _DROP if b"_" in name else _ROLES.get(lower, _PLAIN)
        key = name.decode("latin-1").upper().replace("-", "_")
        known = (role, key if role in {_LENGTH, _TYPE} else f"HTTP_{key}")
        if len(self._names) < _MAX_KNOWN_NAMES:
            self._names[name] = known
        return known

    def _answer(self, client: Any, plain: _Plain, buffered: bytes) -> tuple[bool, bytes]:
        """Call the application and send its answer; returns whether the connection stays, and the bytes after."""
        host = self._host
        body_end = plain.consumed + plain.length
        body = self._body(client, plain, buffered[plain.consumed : body_end])
        plain.environ["wsgi.input"] = body
        host.count_request()
        reply = Reply(
            client,
            self._reply_headers,
            is_head=plain.is_head,
            minor_version=1 if plain.environ["SERVER_PROTOCOL"] == "HTTP/1.1" else 0,
            keep_alive=plain.keep_alive and host.alive,
        )
        try:
            answered = host.wsgi(plain.environ, reply.start_response)
            reply.send(answered)
        except OSError:
            raise
        except Exception:
            if reply.is_started:
                host.log.exception("Error within the answer to %s", plain.environ["RAW_URI"])
                return False, b""
            raise
        is_over = not isinstance(body, LengthBody) or (reply.keep_alive and body.finish())
        return is_over and reply.keep_alive and host.alive, buffered[body_end:]

    def _body(self, client: Any, plain: _Plain, held: bytes) -> io.BytesIO | LengthBody:
        """The body as the application reads it; `held` is what is there of it."""
        if not plain.is_streamed:
            return io.BytesIO(held)
        paced = PacedSocket(client, self._timeouts)
        paced.start_body()
        return LengthBody(held, plain.length, paced)


def may_use_short_path(cfg: Any) -> bool:
    """Whether nothing is switched on in gunicorn that only its own loop does: access log, PROXY protocol, HTTP/2."""
    return (
        not cfg.accesslog
        and not cfg.statsd_host
        and cfg.proxy_protocol in {"off", False}
        and "h2" not in (cfg.http_protocols or ())
        and not cfg.permit_unconventional_http_method
        and not cfg.permit_unconventional_http_version
        and cfg.header_map == "drop"
    )


def _drain(client: Any) -> None:
    """Read on for a moment after the last answer, so that a client still sending gets to read it."""
    try:
        client.shutdown(1)  # no more from us
        deadline, left = monotonic() + _LINGER_S, _LINGER_BYTES
        while left > 0 and (remaining := deadline - monotonic()) > 0:
            client.timeout = remaining
            data = client.recv(_RECV_BYTES)
            if not data:
                return
            left -= len(data)
    except OSError:
        pass
