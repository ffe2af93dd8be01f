"""Counts and durations of requests, per endpoint, method and status.

Finding a metric by its labels costs more than raising it, so the pair of children is looked up once per combination and
kept. The combinations are bounded: endpoints are our own names, methods and codes are short lists.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"})
_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class RequestMetrics:
    """The request metrics of one process, in `registry`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._counter = Counter(
            "trellis_http_requests",
            "Requests answered, by endpoint, method and status.",
            ("endpoint", "method", "code"),
            registry=registry,
        )
        self._histogram = Histogram(
            "trellis_http_request_duration_seconds",
            "Time until the answer was ready, long polls included, by endpoint and method.",
            ("endpoint", "method"),
            buckets=_BUCKETS_S,
            registry=registry,
        )
        self._children: dict[tuple[str, str, str], tuple[Counter, Histogram]] = {}

    def observe(self, endpoint: str, method: str, code: str, seconds: float) -> None:
        """Count one request that took `seconds`."""
        children = self._children.get((endpoint, method, code)) or self._add(endpoint, method, code)
        children[0].inc()
        children[1].observe(seconds)

    def _add(self, endpoint: str, method: str, code: str) -> tuple[Counter, Histogram]:
        known = method if method in _METHODS else "OTHER"
        children = self._counter.labels(endpoint, known, code), self._histogram.labels(endpoint, known)
        if known == method:
            self._children[endpoint, method, code] = children
        return children
