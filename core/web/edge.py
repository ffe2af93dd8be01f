"""The one middleware: everything that is decided before and after Flask.

Before: the raw path to route on, the listener and what it offers, the client's address behind a proxy, the request id,
pre-flight requests. After: CORS headers, the request's count and duration, the access log, the log of slow requests.
All of it together costs a few microseconds per request; keep it so.
"""

from __future__ import annotations

from collections.abc import Iterable
from time import perf_counter
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from flask import Flask

from core.web.connections import WAITED_KEY
from core.web.direct import DirectViews, answer
from core.web.listeners import Listeners
from core.web.paths import routing_path
from core.web.request_ids import REQUEST_ID, request_ids
from core.web.request_log import RequestLog
from core.web.settings import WebSettings

if TYPE_CHECKING:
    from core.web.request_metrics import RequestMetrics

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse

CORS_HEADERS = (
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS"),
    ("Access-Control-Allow-Headers", "X-Requested-With, Content-Type, Authorization, Date"),
    ("Access-Control-Expose-Headers", "Retry-After, Content-Disposition, Location"),
)
"""On every answer. Spec: Client-Server API, "Web Browser Clients"."""

_PREFLIGHT_HEADERS = [*CORS_HEADERS, ("Access-Control-Max-Age", "86400")]
_NOT_OFFERED = b'{"errcode":"M_UNRECOGNIZED","error":"This is not served on this address."}'
_NOT_OFFERED_HEADERS = [
    ("Content-Type", "application/json"),
    ("Content-Length", str(len(_NOT_OFFERED))),
    *CORS_HEADERS,
]


_SAFE_IN_QUERY = "".join(chr(code) for code in range(0x21, 0x7F))


class Edge:
    """The WSGI application that servers are given: `flask` behind the plumbing.

    `flask` stays reachable, for tests and for the list of routes.
    """

    def __init__(self, flask: Flask, settings: WebSettings, metrics: RequestMetrics | None) -> None:
        self.flask = flask
        self._inner = flask.wsgi_app
        self._direct = DirectViews(flask)
        self._aliases = settings.alias_paths
        self._listeners = Listeners(settings.listeners, settings.default_listener)
        self._next_id = request_ids()
        self._metrics = metrics
        self._log = RequestLog(settings.access_log, settings.slow_request_ms)

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        began = perf_counter()
        path = environ["PATH_INFO"] = routing_path(environ, self._aliases)
        environ["SCRIPT_NAME"] = ""
        if not environ.get("QUERY_STRING", "").isascii():
            environ["QUERY_STRING"] = quote(environ["QUERY_STRING"].encode("latin-1"), safe=_SAFE_IN_QUERY)
        listener = self._listeners.of(environ)
        if listener.x_forwarded:
            _believe_proxy(environ)
        REQUEST_ID.set(_id_of_proxy(environ, listener.request_id_key) or self._next_id())
        answered, endpoint = "", "unrecognized"

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            nonlocal answered, endpoint
            answered = status
            rule = environ["werkzeug.request"].url_rule  # Flask takes the request out again once it has answered
            if rule is not None:
                endpoint = rule.endpoint
            headers.extend(CORS_HEADERS)
            return start_response(status, headers, exc_info) if exc_info else start_response(status, headers)

        method = environ["REQUEST_METHOD"]
        if method == "OPTIONS":
            start_response("204 No Content", list(_PREFLIGHT_HEADERS))
            return ()
        body: Iterable[bytes]
        if not listener.offers(path):
            answered = "404 Not Found"
            start_response(answered, list(_NOT_OFFERED_HEADERS))
            body = () if method == "HEAD" else (_NOT_OFFERED,)
        elif (found := self._direct.find(method, path)) is not None:
            endpoint = found.endpoint
            body = answer(found, environ, start)
        else:
            body = self._inner(environ, start)
        self._finish(environ, endpoint, answered[:3], perf_counter() - began)
        return body

    def _finish(self, environ: dict[str, Any], endpoint: str, code: str, seconds: float) -> None:
        """Count the request and log it where asked to."""
        if self._metrics is not None:
            self._metrics.observe(endpoint, environ["REQUEST_METHOD"], code, seconds)
        if self._log.is_wanted(seconds):
            self._log.write(environ, endpoint, code, seconds, environ.get(WAITED_KEY, 0.0))


def _id_of_proxy(environ: dict[str, Any], key: str | None) -> str:
    """The request id that the proxy gave, '' where there is none that can stand in a log line."""
    given: str = environ.get(key, "") if key is not None else ""
    return given if len(given) <= 100 and given.isascii() and given.isprintable() else ""


def _believe_proxy(environ: dict[str, Any]) -> None:
    """Take the client's address and scheme from the proxy in front of this listener.

    Of several addresses the last counts: it is the one our own proxy saw and added, those before it the client can
    make up. A proxy behind another one must therefore set the header anew, or hand on a list it has checked.
    """
    forwarded = environ.get("HTTP_X_FORWARDED_FOR")
    if forwarded:
        address = forwarded.rpartition(",")[2].strip()
        if address:
            environ["REMOTE_ADDR"] = address
    scheme = environ.get("HTTP_X_FORWARDED_PROTO", "").strip().lower()
    if scheme in {"http", "https"}:
        environ["wsgi.url_scheme"] = scheme
