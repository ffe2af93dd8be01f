"""What the web plumbing must be told: plain values, handed over by the composition root."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from core.web.paths import LEGACY_PREFIXES

DEFAULT_RESOURCES = frozenset({"client", "federation", "keys", "media", "openid", "health", "static"})
"""What a listener serves where nothing else is said: everything but metrics."""


@dataclass(frozen=True, slots=True)
class ListenerSettings:
    """One socket and what is served on it.

    `host` and `port` are as bound (`0.0.0.0` where it listens everywhere); a Unix socket has a `path` instead.
    """

    host: str = ""
    port: int = 0
    path: str | None = None
    resources: frozenset[str] = DEFAULT_RESOURCES
    x_forwarded: bool = False


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
