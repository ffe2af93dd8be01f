"""How long plugins take and how often they fail, counted as plain integers; core.hooks.figures shows them to Prometheus.

Labelled prometheus_client objects cost several microseconds an observation; counting here costs a fraction of one.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

BOUNDS: Final = (0.0001, 0.001, 0.01, 0.1, 1.0, 10.0)
"""Upper bounds of the histogram's buckets, in seconds."""


class Meter:
    """What one plugin did in one hook, job or other function, since the process started."""

    __slots__ = ("buckets", "calls", "failures", "hook", "observed", "plugin", "seconds")

    def __init__(self, plugin: str, hook: str) -> None:
        self.plugin = plugin
        self.hook = hook
        self.calls = 0
        self.seconds = 0.0
        self.observed = 0
        """Answers that observe-only mode kept from being applied."""
        self.failures: dict[str, int] = {}
        """By cause: `error`, `timeout`, `slow` (held the hub past its limit), `answer` (wrong type), `busy`."""
        self.buckets = [0] * (len(BOUNDS) + 1)

    def count(self, seconds: float) -> None:
        """Count a call that took this long."""
        self.calls += 1
        self.seconds += seconds
        self.buckets[bisect_left(BOUNDS, seconds)] += 1

    def fail(self, cause: str) -> None:
        """Count a failure."""
        self.failures[cause] = self.failures.get(cause, 0) + 1
