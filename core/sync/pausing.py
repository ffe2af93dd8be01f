"""Letting others run during long answers: a first sync of a thousand rooms takes a second, and nobody may wait for it."""

from __future__ import annotations

import time

import gevent

WORK_SECONDS = 0.01
"""An answer in the making lets others run after this much work."""
PAUSE_SECONDS = 0.001
"""Long enough for the hub to look at its sockets; a sleep of 0 is not."""


class Pauses:
    """Call it now and then; it pauses when it is time."""

    __slots__ = ("_due",)

    def __init__(self) -> None:
        self._due = time.monotonic() + WORK_SECONDS

    def __call__(self) -> None:
        """Let others run, if this work has gone on for long enough."""
        if time.monotonic() > self._due:
            gevent.sleep(PAUSE_SECONDS)
            self._due = time.monotonic() + WORK_SECONDS
