"""One request through gunicorn's own parser and response: what the short loop does not take.

The bytes read so far are given back to gunicorn's reader, and the bytes after the request come back. Adds to it what
its gevent worker lacks: a limit on how slowly a client may send.
"""

from __future__ import annotations

from time import monotonic
from typing import Any

from gunicorn.http.message import Request
from gunicorn.http.parser import RequestParser
from gunicorn.http.unreader import SocketUnreader
from gunicorn.http.wsgi import create

from core.web.paced_body import PacedSocket

_MAX_CHUNK_BYTES = 262_144
_UNREAD_BODY_S, _UNREAD_BODY_BYTES = 2.0, 262_144


class BrokenRequest(Exception):
    """A request that cannot be served; `cause` is gunicorn's exception, which has the answer."""

    def __init__(self, request: Any, cause: Exception) -> None:
        super().__init__(str(cause))
        self.request, self.cause = request, cause


class PacedUnreader(SocketUnreader):  # type: ignore[misc] # gunicorn has no types
    """Reads from the socket within time limits."""

    def __init__(self, sock: Any, timeouts: Any) -> None:
        super().__init__(sock)
        self.paced = PacedSocket(sock, timeouts)

    def chunk(self, size_hint: int | None = None) -> bytes:
        """The next bytes from the socket; empty at its end or when time is up."""
        return self.paced.recv(min(max(size_hint or 0, self.mxchunk), _MAX_CHUNK_BYTES))


def serve_one(host: Any, listener: Any, client: Any, addr: Any, buffered: bytes, timeouts: Any) -> tuple[bool, bytes]:
    """Serve the request that starts with `buffered`; returns whether the connection stays, and the bytes after it.

    Raises BrokenRequest for one that gunicorn refuses.
    """
    parser = RequestParser(host.cfg, client, addr)
    parser.unreader = PacedUnreader(client, timeouts)
    parser.unreader.unread(buffered)
    request = _parse(parser)
    if request is None:
        return False, b""
    parser.unreader.paced.start_body()
    keep_alive = _respond(host, listener, request, client, addr)
    if not keep_alive or not parser.finish_body(monotonic() + _UNREAD_BODY_S, _UNREAD_BODY_BYTES):
        return False, b""
    if parser.unreader.paced.has_ended:  # the body may be incomplete, and its rest must not be taken for a request
        return False, b""
    return host.alive, parser.unreader.take_buffered()


def _parse(parser: RequestParser) -> Request | None:
    try:
        request: Request = next(parser)
    except StopIteration:
        return None
    except OSError:
        raise
    except Exception as error:
        if type(error).__name__ == "NoMoreData":
            return None
        request_so_far = getattr(error, "req", None)  # some of gunicorn's exceptions keep a mere line there
        raise BrokenRequest(request_so_far if isinstance(request_so_far, Request) else None, error) from error
    request.proxy_protocol_info = request.proxy_protocol_info or {}
    return request


def _respond(host: Any, listener: Any, request: Request, client: Any, addr: Any) -> bool:
    """Call the application and send its answer; returns whether the connection stays."""
    reply = None
    try:
        reply, environ = create(request, client, addr, listener.sockname, host.cfg)
        environ["wsgi.multithread"] = True
        environ["trellis.listener"] = listener.name
        if listener.tls:
            environ["wsgi.url_scheme"] = "https"
        host.count_request()
        if not host.alive or not host.cfg.keepalive:
            reply.force_close()
        answered = host.wsgi(environ, reply.start_response)
        try:
            for piece in answered:
                reply.write(piece)
            reply.close()
        finally:
            close = getattr(answered, "close", None)
            if close is not None:
                close()
    except OSError:
        raise
    except Exception as error:
        if reply is not None and reply.headers_sent:
            host.log.exception("Error within the answer to %s", request.uri)
            return False
        raise BrokenRequest(request, error) from error
    if reply.response_length is not None and reply.sent < reply.response_length and not reply._omits_body:
        return False
    return not reply.should_close()
