"""Plugins' background jobs: again and again, by one process of the deployment at a time, under the guard.

A job's lease is its schedule as well: whoever runs it keeps the lease until the next run is nearly due, so that several
processes, or a server that restarts often, do not run it more often than it asks.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable

import gevent
from gevent.event import Event

from core.errors import MatrixError
from core.hooks.declarations import Job
from core.hooks.errors import PluginFailed
from core.hooks.manager import Contribution, PluginManager
from core.storage.leases import Leases

logger = logging.getLogger(__name__)

FIRST_SECONDS = 10.0
"""A job has its first turn within this time after the start, somewhere at random."""
LOOK_SECONDS = 60.0
"""Where another process has a job, it is looked after this often whether that one still does."""
JITTER = 0.1
"""Runs come up to this part of their interval early or late, so that jobs do not all run together."""
STOP_SECONDS = 2.0
KEPT = 1 - 2 * JITTER
"""The part of the interval for which the lease is kept."""


class JobRunner:
    """Runs one job."""

    def __init__(
        self,
        plugins: PluginManager,
        contribution: Contribution[Job],
        leases: Leases,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._plugins = plugins
        self._plugin = contribution.plugin
        self._job = contribution.item
        self._leases = leases
        self._chance = chance
        self._is_stopping = Event()
        self._greenlet: gevent.Greenlet | None = None

    def start(self) -> None:
        """Begin."""
        self._greenlet = gevent.spawn(self._run)

    def stop(self) -> None:
        """Let a run finish for STOP_SECONDS at most, then end it."""
        self._is_stopping.set()
        if self._greenlet is not None:
            self._greenlet.join(STOP_SECONDS)
            self._greenlet.kill()
            self._greenlet = None

    def turn(self) -> float:
        """Run the job if it is due and nobody else's; returns the seconds until the next turn."""
        job, name = self._job, f"job:{self._plugin}:{self._job.name}"
        started, kept = time.monotonic(), KEPT * self._job.every_seconds
        lease = self._leases.take(name, max(job.time_limit_seconds + 5, kept))
        if lease is None:
            return self._spread(min(job.every_seconds, LOOK_SECONDS))
        try:
            self._plugins.run(self._plugin, f"job:{job.name}", job.time_limit_seconds, job.run)
        except PluginFailed:  # counted and logged by the guard
            pass
        finally:
            self._leases.renew(lease, max(0.0, started + kept - time.monotonic()))
        return max(0.0, started + self._spread(job.every_seconds) - time.monotonic())

    def _run(self) -> None:
        wait = self._chance() * min(self._job.every_seconds, FIRST_SECONDS)
        while not self._is_stopping.wait(wait):
            try:
                wait = self.turn()
            except MatrixError as error:  # no database to take the lease from
                logger.warning("The job %s of %s was put off: %s", self._job.name, self._plugin, error.sentence)
                wait = self._spread(min(self._job.every_seconds, LOOK_SECONDS))

    def _spread(self, seconds: float) -> float:
        return seconds * (1 - JITTER + 2 * JITTER * self._chance())
