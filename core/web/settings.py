"""What the web plumbing must be told: plain values, handed over by the composition root."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from core.web.paths import LEGACY_PREFIXES

DEFAULT_RESOURCES = frozenset(
    {"client", "federation", "media", "keys", "health", "admin", "openid", "consent", "static"}
)
"""What a listener serves where nothing else is said: everything but metrics."""


@dataclass(frozen=True, slots=True)
class ListenerSettings:
    """Where one listener listens, and what is served there.

    `binds` are in gunicorn's notation: `127.0.0.1:8008`, `[::1]:8008`, `unix:/run/trellis.sock`.
    """

    binds: tuple[str, ...] = ()
    resources: frozenset[str] = DEFAULT_RESOURCES
    x_forwarded: bool = False
    """Whether the proxy in front of it tells the client's address and scheme."""
    request_id_header: str | None = None
    """The header in which the proxy hands on the id it gave the request."""


@dataclass(frozen=True, slots=True)
class WebSettings:
    """Settings of the request plumbing; every field has the default of a server without a config file."""

    listeners: tuple[ListenerSettings, ...] = ()
    default_listener: ListenerSettings = ListenerSettings()
    alias_paths: Mapping[str, str] = field(default_factory=lambda: LEGACY_PREFIXES)
    access_log: str = "off"
    """"off", "text" or "json"."""
    slow_request_ms: int = 5_000
    """Requests that take longer, time spent waiting on purpose not counted, are logged; 0 logs none."""
