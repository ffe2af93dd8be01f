"""The figures of the writer, the log's consumers and the door to the outside, shown to Prometheus when it asks.

They are counted where things happen, as plain integers; nothing here costs anything between two scrapes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from core.outbound.door import Door
from core.storage.consumers import ConsumerRunner
from core.storage.log import LogTail
from core.storage.room_servers import RoomServerStore
from core.storage.writer import Writer
from core.storage.writer_figures import Tally


class WriterCollector(Collector):
    """`trellis_writer_…`: what waits, how large groups are and how long they take, what went wrong."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def collect(self) -> Iterator[Metric]:
        """The figures of this moment."""
        figures = self._writer.figures
        yield GaugeMetricFamily("trellis_writer_waiting_jobs", "Writes waiting for their group.", self._writer.waiting)
        yield _histogram("trellis_writer_group_jobs", "Writes committed together.", figures.group_jobs)
        yield _histogram("trellis_writer_group_seconds", "Time a group of writes took.", figures.group_seconds)
        events = CounterMetricFamily("trellis_writer_events", "What befell the writer, by kind.", labels=["kind"])
        for kind in ("failed_jobs", "refused_jobs", "replays", "conflicts", "reconnects", "looked_up"):
            events.add_metric([kind], getattr(figures, kind))
        events.add_metric(["failed_callbacks"], figures.failed_callbacks)
        yield events


class ConsumerCollector(Collector):
    """`trellis_log_position` and, for each consumer of the log, how far it is behind and how often it failed."""

    def __init__(self, tail: LogTail, runners: Sequence[ConsumerRunner]) -> None:
        self._tail = tail
        self._runners = runners

    def collect(self) -> Iterator[Metric]:
        """The figures of this moment."""
        yield GaugeMetricFamily("trellis_log_position", "The log's end as this process knows it.", self._tail.position)
        behind = GaugeMetricFamily(
            "trellis_consumer_lag_positions", "Positions a consumer has yet to look at.", labels=["consumer"]
        )
        failures = CounterMetricFamily("trellis_consumer_failures", "Batches that failed.", labels=["consumer"])
        for runner in self._runners:
            behind.add_metric([runner.consumer.name], max(self._tail.position - runner.position, 0))
            failures.add_metric([runner.consumer.name], runner.failures)
        yield from (behind, failures)


class OutboundCollector(Collector):
    """`trellis_outbound_…`: connections to other machines, requests, and those that got no answer."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def collect(self) -> Iterator[Metric]:
        """The figures of this moment."""
        door = self._door
        yield GaugeMetricFamily(
            "trellis_outbound_connections", "Connections to other machines that are open.", door.open_connections
        )
        yield CounterMetricFamily(
            "trellis_outbound_connections_opened", "Connections opened to other machines.", door.opened_connections
        )
        yield CounterMetricFamily("trellis_outbound_requests", "Requests to other machines.", door.requests)
        failures = CounterMetricFamily(
            "trellis_outbound_failures", "Requests that got no answer; AddressRefused: not sent.", labels=["reason"]
        )
        for reason, number in door.failures.items():
            failures.add_metric([reason], number)
        yield failures


def _histogram(name: str, text: str, tally: Tally) -> HistogramMetricFamily:
    cumulative, sum_so_far = [], 0
    for bound, number in zip((*map(float, tally.bounds), float("inf")), tally.counts, strict=True):
        sum_so_far += number
        cumulative.append(("+Inf" if bound == float("inf") else str(bound), sum_so_far))
    return HistogramMetricFamily(name, text, cumulative, sum_value=tally.total)


class ServerCollector(Collector):
    """`trellis_federation_known_servers`: a query each time, so only where `metrics_flags.known_servers` asks for it."""

    def __init__(self, servers: RoomServerStore) -> None:
        self._servers = servers

    def collect(self) -> Iterator[Metric]:
        """The figure of this moment."""
        yield GaugeMetricFamily(
            "trellis_federation_known_servers",
            "Servers with a user in a room that is known here, this one among them.",
            len(self._servers.anywhere()),
        )
