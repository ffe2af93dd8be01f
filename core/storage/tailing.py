"""Following the log where other processes write to it too: with MariaDB and MySQL.

The tail asks for new lines each POLL_SECONDS, and at once when it is woken: by this process's own writer, or by a wake
source that carries hints between workers. A hint that gets lost costs up to POLL_SECONDS, and no line. Lines of our own
writer are announced without a query when nobody else's stand before them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

import gevent
from gevent.event import Event

from core.errors import Unavailable
from core.ids import Position
from core.storage.log import Line, LogReader, LogTail

logger = logging.getLogger(__name__)

POLL_SECONDS = 1.0
LINES_PER_READ = 1000


class WakeSource(Protocol):
    """Carries "the log has grown" between workers, quickly and without promise."""

    def subscribe(self, wake: Callable[[], None]) -> None:
        """Call `wake()` whenever another worker has published; it never waits and never raises."""

    def publish(self, position: Position) -> None:
        """Tell the other workers; must neither wait nor raise."""


class PolledTail(LogTail):
    """A tail that several writers feed through the database. Its position never passes a line it has not announced."""

    def __init__(self, log: LogReader, wake: WakeSource | None = None, poll_seconds: float = POLL_SECONDS) -> None:
        super().__init__(log.tip())
        self._log = log
        self._source = wake
        self._poll_seconds = poll_seconds
        self._has_work = Event()
        self._is_reading = False
        self._greenlet: gevent.Greenlet | None = None

    def start(self) -> None:
        """Begin to follow."""
        if self._source is not None:
            self._source.subscribe(self.wake)
        self._greenlet = gevent.spawn(self._run)

    def stop(self) -> None:
        """Follow no longer."""
        if self._greenlet is not None:
            self._greenlet.kill()
            self._greenlet = None

    def wake(self) -> None:
        """Look at the log now."""
        self._has_work.set()

    def feed(self, lines: list[Line], position: Position) -> None:
        """Take what our own writer has just committed: announce it, or have it read where others' lines come first."""
        if not lines:
            return
        if not self._is_reading and lines[0].position == self.position + 1:
            super().feed(lines, position)
        else:
            self.wake()
        if self._source is not None:
            self._source.publish(position)

    def catch_up(self) -> None:
        """Announce everything up to the log's present end. Raises what the database raises."""
        self._is_reading = True
        try:
            upto = self._log.tip()
            while self.position < upto:
                lines = self._log.lines(self.position, upto, limit=LINES_PER_READ)
                super().feed(lines, lines[-1].position if len(lines) == LINES_PER_READ else upto)
        finally:
            self._is_reading = False

    def _run(self) -> None:
        is_failing = False
        while True:
            self._has_work.wait(self._poll_seconds)
            self._has_work.clear()
            try:
                self.catch_up()
                is_failing = False
            except Unavailable as error:
                if not is_failing:
                    logger.warning("The log cannot be followed at present: %s", error)
                is_failing = True
                gevent.sleep(self._poll_seconds)
            except Exception:
                logger.exception("Following the log failed; trying again.")
                gevent.sleep(self._poll_seconds)
