"""Processes, caches and the limits of the HTTP server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.config.parsers import boolean, duration_ms, integer, mapping_of, number, size_bytes
from core.config.settings import setting


@dataclass(frozen=True, slots=True)
class WorkersConfig:
    """How many processes, and what each connection may cost."""

    count: int = setting(
        1, integer(1, 256), "Worker processes. This release has one; another number is refused.", key="workers"
    )
    worker_connections: int = setting(
        20_000,
        integer(10),
        "Connections one worker holds at once, on all listeners together; further ones wait.",
        key="http.worker_connections",
    )
    keepalive: int = setting("75s", duration_ms, "How long an idle connection stays open.", key="http.keepalive")
    header_timeout: int = setting(
        "30s", duration_ms, "How long a client may take to send a request's headers.", key="http.header_timeout"
    )
    body_timeout: int = setting(
        "60s", duration_ms, "How long a client may pause while sending a body.", key="http.body_timeout"
    )
    send_timeout: int = setting(
        "60s", duration_ms, "How long a client may refuse to take an answer.", key="http.send_timeout"
    )
    max_header_fields: int = setting(100, integer(10, 1000), "Header lines in a request.", key="http.max_header_fields")
    max_header_size: int = setting("8190", size_bytes, "Longest header line.", key="http.max_header_size")
    graceful_timeout: int = setting(
        "5s", duration_ms, "How long running requests may take to finish at shutdown.", key="http.graceful_timeout"
    )
    backlog: int = setting(2048, integer(1), "Connections waiting to be accepted.", key="http.backlog")
    reuse_port: bool = setting(False, boolean, "Let several servers share a port.", key="http.reuse_port")


@dataclass(frozen=True, slots=True)
class CachesConfig:
    """Memory."""

    event_cache_size: int = setting("10K", size_bytes, "Events kept in memory, about; scaled by caches.global_factor.")
    global_factor: float = setting(
        0.5,
        number(),
        "Multiplies the size of the large caches; at 0.5 they take up to about 130 MB.",
        key="caches.global_factor",
    )
    per_cache_factors: Mapping[str, float] = setting(
        {},
        mapping_of(number()),
        "Takes the place of caches.global_factor for single caches: events, states, current_states, encoded_events, "
        "visibility; Synapse's names for them will do.",
        key="caches.per_cache_factors",
    )


def patience(config: WorkersConfig, timeouts: Any) -> Any:
    """The worker's `Timeouts`, in seconds; the class is handed in, since the web layer is above this one."""
    return timeouts(
        keepalive=config.keepalive / 1000,
        header=config.header_timeout / 1000,
        body=config.body_timeout / 1000,
        send=config.send_timeout / 1000,
    )
