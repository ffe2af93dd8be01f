"""Listeners: which resources are served on the socket a request came in by, and whether a proxy speaks for the client.

Our gunicorn worker names the listener in the environment as `trellis.listener`, in gunicorn's notation of what is
bound. Under another server the local address decides, then the port alone, then the default.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from core.web.settings import ListenerSettings

LISTENER_KEY = "trellis.listener"
"""Where the worker leaves the listener's name in the WSGI environment."""

_OFFERED_BY: tuple[tuple[str, frozenset[str]], ...] = (
    ("/_matrix/client/v1/media/", frozenset({"client", "media"})),
    ("/_matrix/federation/v1/media/", frozenset({"federation", "media"})),
    ("/_matrix/federation/v1/openid/", frozenset({"federation", "openid"})),
    ("/_matrix/federation/", frozenset({"federation"})),
    ("/_matrix/policy/", frozenset({"federation"})),
    ("/_matrix/key/", frozenset({"federation", "keys"})),
    ("/_matrix/media/", frozenset({"client", "federation", "media"})),
    ("/_matrix/consent", frozenset({"client", "consent"})),
    ("/_synapse/admin/", frozenset({"client", "admin"})),
    ("/_synapse/metrics", frozenset({"metrics"})),
    ("/metrics", frozenset({"metrics"})),
    ("/health", frozenset({"health"})),
    ("/.well-known/", frozenset({"client", "federation"})),
)
"""Path prefixes and the resources that offer them, the first match counting; all else is offered by `client`."""
_ROOT_OFFERED_BY = frozenset({"client", "static"})
_OTHERWISE = frozenset({"client"})


@dataclass(frozen=True, slots=True)
class Listener:
    """What the request plumbing asks of a listener."""

    resources: frozenset[str]
    x_forwarded: bool
    request_id_key: str | None
    """Where the environment has the request id that a proxy gave."""

    @classmethod
    def of(cls, settings: ListenerSettings) -> Listener:
        """The listener that `settings` describe."""
        header = settings.request_id_header
        key = f"HTTP_{header.upper().replace('-', '_')}" if header else None
        return cls(settings.resources, settings.x_forwarded, key)

    def offers(self, path: str) -> bool:
        """Whether `path` belongs to a resource of this listener. Health is answered on every one."""
        for prefix, offered_by in _OFFERED_BY:
            if path.startswith(prefix):
                return prefix == "/health" or not self.resources.isdisjoint(offered_by)
        return not self.resources.isdisjoint(_ROOT_OFFERED_BY if path == "/" else _OTHERWISE)


class Listeners:
    """The listeners of this server, found by what a request's environment says."""

    def __init__(self, listeners: Iterable[ListenerSettings], default: ListenerSettings) -> None:
        self._default = Listener.of(default)
        self._named: dict[str, Listener] = {}
        self._by_port: dict[str, Listener] = {}
        for settings in listeners:
            listener = Listener.of(settings)
            for bind in settings.binds:
                self._named[bind] = listener
                if not bind.startswith("unix:"):
                    self._by_port.setdefault(bind.rpartition(":")[2], listener)

    def of(self, environ: Mapping[str, Any]) -> Listener:
        """The listener that the request came in by."""
        if not self._named:
            return self._default
        name = environ.get(LISTENER_KEY)
        if name is not None:
            return self._named.get(name, self._default)
        if not environ.get("REMOTE_ADDR"):
            return self._named.get(f"unix:{_socket_path(environ)}", self._default)
        host, port = environ.get("SERVER_NAME", ""), environ.get("SERVER_PORT", "")
        bind = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        return self._named.get(bind) or self._by_port.get(port) or self._default


def _socket_path(environ: Mapping[str, Any]) -> str:
    """The path of the Unix socket that gunicorn accepted the request on, '' where there is none."""
    accepted = environ.get("gunicorn.socket")
    name = accepted.getsockname() if accepted is not None else ""
    if isinstance(name, bytes):
        name = name.decode("utf-8", "surrogateescape")
    return name if isinstance(name, str) else ""
