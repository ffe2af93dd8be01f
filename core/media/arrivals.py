"""Waiting for an upload that was announced: downloads of reserved ids hold on until the file comes.

What arrives through this process wakes its waiters at once; for other processes they look again each second.
"""

from __future__ import annotations

from gevent.event import Event

LOOK_AGAIN_SECONDS = 1.0
MAX_WAITERS = 1_000
"""Downloads that wait at once; further ones are told at once that the file is not there yet."""


class Arrivals:
    """Who waits for which media id."""

    def __init__(self) -> None:
        self._waiting: dict[str, tuple[Event, int]] = {}
        self._count = 0

    def announce(self, media_id: str) -> None:
        """The file has come."""
        waited = self._waiting.get(media_id)
        if waited is not None:
            waited[0].set()

    def wait(self, media_id: str, seconds: float) -> bool:
        """Wait a while, a second at most; False where too many wait already. Look again afterwards in either case."""
        if self._count >= MAX_WAITERS:
            return False
        event, waiters = self._waiting.get(media_id, (Event(), 0))
        self._waiting[media_id] = (event, waiters + 1)
        self._count += 1
        try:
            event.wait(min(seconds, LOOK_AGAIN_SECONDS))
        finally:
            self._count -= 1
            waiters = self._waiting[media_id][1] - 1
            if waiters:
                self._waiting[media_id] = (event, waiters)
            else:
                del self._waiting[media_id]
        return True
