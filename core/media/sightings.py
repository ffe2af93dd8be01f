"""When media was last asked for: noted in memory, written every minute in one statement.

Retention goes by it, so a crash that loses a minute of it matters to nobody.
"""

from __future__ import annotations

import logging

import gevent
from gevent.event import Event

from core.media.clock import Clock, wall_clock_ms
from core.storage.media import MediaStore
from core.storage.writer import Writer

LOG = logging.getLogger(__name__)
FLUSH_SECONDS = 60.0
MAX_NOTED = 10_000
"""Media noted at most between two writes; beyond it they are written early."""


class Sightings:
    """Collects sightings; a background worker with `start` and `stop` writes them."""

    def __init__(self, media: MediaStore, writer: Writer, now_ms: Clock = wall_clock_ms) -> None:
        self._media, self._writer, self._now_ms = media, writer, now_ms
        self._noted: dict[int, int] = {}
        self._wake = Event()
        self._stopping = False
        self._worker: gevent.Greenlet | None = None

    def note(self, media_nid: int) -> None:
        """Media was asked for; costs a dict entry."""
        self._noted[media_nid] = self._now_ms()
        if len(self._noted) > MAX_NOTED:
            self._wake.set()

    def flush(self) -> None:
        """Write what was noted since the last time."""
        noted, self._noted = self._noted, {}
        if noted:
            self._writer.submit(lambda transaction: self._media.note_seen(transaction, noted))

    def start(self) -> None:
        """Begin to write in the background."""
        self._worker = gevent.spawn(self._run)

    def stop(self) -> None:
        """Write what is left and end; call before the writer is closed."""
        self._stopping = True
        self._wake.set()
        if self._worker is not None:
            self._worker.join()
            self._worker = None

    def _run(self) -> None:
        while not self._stopping:
            self._wake.wait(FLUSH_SECONDS)
            self._wake.clear()
            try:
                self.flush()
            except Exception:  # these sightings are lost, the worker goes on
                LOG.exception("sightings of media could not be written")
