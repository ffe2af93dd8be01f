"""The meters of plugins, shown to Prometheus when it asks. Loaded only where metrics are collected."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from core.hooks.meters import BOUNDS, Meter


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
