"""When each device was last seen: noted in memory on every request, written every few minutes in one statement.

A crash loses the last minutes of it and nothing else.
"""

from __future__ import annotations

import logging

import gevent
from gevent.event import Event

from core.accounts.clock import Clock, wall_clock_ms
from core.errors import Unavailable
from core.ids import DeviceId, Requester, UserNid
from core.storage.devices import DeviceStore, Sighting
from core.storage.writer import Writer

LOG = logging.getLogger(__name__)

FLUSH_SECONDS = 180.0
"""How often sightings are written."""
MAX_NOTED = 20_000
"""Devices noted at most between two writes; beyond it they are written early."""


class LastSeen:
    """Collects sightings; a background worker with `start` and `stop` writes them."""

    def __init__(
        self, devices: DeviceStore, writer: Writer, now_ms: Clock = wall_clock_ms, seconds: float = FLUSH_SECONDS
    ) -> None:
        self._devices = devices
        self._writer = writer
        self._now_ms = now_ms
        self._seconds = seconds
        self._noted: dict[tuple[UserNid, DeviceId], tuple[int, str, str]] = {}
        self._wake = Event()
        self._stopping = False
        self._worker: gevent.Greenlet | None = None

    def note(self, requester: Requester, ip: str, user_agent: str) -> None:
        """Remember one request; costs a dict entry."""
        if requester.device_id is None:
            return
        self._noted[requester.user_nid, requester.device_id] = (self._now_ms(), ip, user_agent)
        if len(self._noted) > MAX_NOTED:
            self._wake.set()

    def noted(self, user_nid: UserNid, device_id: DeviceId) -> tuple[int, str, str] | None:
        """(milliseconds, address, user agent) of a device, where that is newer than what is stored."""
        return self._noted.get((user_nid, device_id))

    def flush(self) -> None:
        """Write what was noted since the last time."""
        noted, self._noted = self._noted, {}
        if noted:
            sightings = [Sighting(user, device, *seen) for (user, device), seen in noted.items()]
            self._writer.submit(lambda transaction: self._devices.note_sightings(transaction, sightings))

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
            self._wake.wait(self._seconds)
            self._wake.clear()
            try:
                self.flush()
            except Unavailable as error:
                LOG.warning("Sightings of devices could not be written: %s", error)
            except Exception:  # the sightings are lost, the worker goes on
                LOG.exception("sightings of devices could not be written")
