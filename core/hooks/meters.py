"""How long plugins take and how often they fail, counted as plain integers and shown to Prometheus on demand.

Labelled prometheus_client objects cost several microseconds an observation; counting here costs a fraction of one.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

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


class PluginCollector(Collector):
    """Shows the meters as `trellis_hook_…`, and which plugins are switched off as `trellis_plugin_off`."""

    def __init__(
        self, meters: Callable[[], Sequence[Meter]], plugins_off: Callable[[], Sequence[tuple[str, bool]]]
    ) -> None:
        self._meters = meters
        self._plugins_off = plugins_off

    def describe(self) -> Iterator[Metric]:
        """Names only, so that registering does not collect."""
        yield from self._families()

    def collect(self) -> Iterator[Metric]:
        """The figures of this moment."""
        seconds, failures, observed, off = self._families()
        for meter in self._meters():
            labels = [meter.plugin, meter.hook]
            cumulative, total = [], 0
            for bound, number in zip((*map(str, BOUNDS), "+Inf"), meter.buckets, strict=True):
                total += number
                cumulative.append((bound, float(total)))
            seconds.add_metric(labels, cumulative, meter.seconds)
            observed.add_metric(labels, meter.observed)
            for cause, number in meter.failures.items():
                failures.add_metric([*labels, cause], number)
        for plugin, is_off in self._plugins_off():
            off.add_metric([plugin], float(is_off))
        yield from (seconds, failures, observed, off)

    def _families(self) -> tuple[HistogramMetricFamily, CounterMetricFamily, CounterMetricFamily, GaugeMetricFamily]:
        labels = ["plugin", "hook"]
        return (
            HistogramMetricFamily("trellis_hook_seconds", "Time plugins took, by hook.", labels=labels),
            CounterMetricFamily(
                "trellis_hook_failures", "Plugins raising, too late or answering wrongly.", labels=[*labels, "cause"]
            ),
            CounterMetricFamily("trellis_hook_observed", "Answers not applied: observe-only mode.", labels=labels),
            GaugeMetricFamily("trellis_plugin_off", "1 while a plugin is switched off for failing.", labels=["plugin"]),
        )
