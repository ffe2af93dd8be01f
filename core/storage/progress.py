"""A position that moves forward, and those who wait for it to have passed another."""

from __future__ import annotations

import time

from gevent.event import Event

from core.ids import Position


class Progress:
    """How far something got; it never goes back."""

    def __init__(self, position: Position) -> None:
        self.position = position
        self._moved = Event()

    def reach(self, position: Position) -> None:
        """Move to `position`, if that is forward, and wake who waits."""
        if position > self.position:
            self.position = position
            moved, self._moved = self._moved, Event()
            moved.set()

    def wait_for(self, position: int, timeout_s: float) -> bool:
        """Wait until `position` has been reached; whether it was, in that time."""
        give_up = time.monotonic() + timeout_s
        while self.position < position:
            left = give_up - time.monotonic()
            if left <= 0 or not self._moved.wait(left):
                return self.position >= position
        return True
