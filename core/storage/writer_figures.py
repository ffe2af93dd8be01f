"""What the writer did since the start, counted as plain integers: a group is written a thousand times a second."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field

JOB_BOUNDS = (1, 2, 5, 10, 20, 50, 100)
SECOND_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2.0)


class Tally:
    """How many observations fell below each of some bounds, and their sum."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def note(self, value: float) -> None:
        """Count one observation."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


@dataclass(slots=True)
class WriterFigures:
    """Counters since the start, for the metrics page. `seconds` is the time spent in groups, commits included."""

    groups: int = 0
    jobs: int = 0
    failed_jobs: int = 0
    refused_jobs: int = 0
    replays: int = 0
    conflicts: int = 0
    reconnects: int = 0
    looked_up: int = 0
    failed_callbacks: int = 0
    seconds: float = 0.0
    group_jobs: Tally = field(default_factory=lambda: Tally(JOB_BOUNDS))
    """Sizes of the groups that were committed, in jobs."""
    group_seconds: Tally = field(default_factory=lambda: Tally(SECOND_BOUNDS))
    """How long groups took, those that failed included."""

    def note_group(self, jobs: int) -> None:
        """Count a group that was committed."""
        self.groups += 1
        self.jobs += jobs
        self.group_jobs.note(jobs)

    def note_time(self, seconds: float) -> None:
        """Count the time a group took."""
        self.seconds += seconds
        self.group_seconds.note(seconds)
