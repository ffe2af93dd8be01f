"""Whose turn it is among pushers: each is served when something waits for it, by one greenlet at a time.

Whoever serves one says when to look at it again: after a failure, or because what waits is not due yet. Until then
nothing new hastens it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import gevent
from gevent.event import Event
from gevent.pool import Pool

Serve = Callable[[int], float | None]
"""Serves a pusher; in how many seconds to look at it again, None for when something new waits. Must not raise."""


class Turns:
    """Calls `serve` for `at_once` pushers at the same time. `put` may be called from anywhere and does not wait."""

    def __init__(self, serve: Serve, at_once: int) -> None:
        self._serve = serve
        self._due: dict[int, float] = {}
        """When to look at a pusher, on the monotonic clock."""
        self._busy: set[int] = set()
        self._work = Event()
        self.is_stopping = False
        self._pool = Pool(at_once)
        self._greenlet: gevent.Greenlet | None = None

    def start(self) -> None:
        """Begin."""
        self._greenlet = gevent.spawn(self._run)

    def stop(self) -> None:
        """Cut short what is being done."""
        self.is_stopping = True
        self._work.set()
        if self._greenlet is not None:
            self._greenlet.join()
            self._pool.kill()
            self._greenlet = None

    def put(self, pushers: Iterable[int], after_s: float = 0.0) -> None:
        """Something waits for these pushers; those that have a turn already keep it."""
        due = time.monotonic() + after_s
        for pusher in pushers:
            self._due.setdefault(pusher, due)
        self._work.set()

    def _run(self) -> None:
        while not self.is_stopping:
            waiting = [due for pusher, due in self._due.items() if pusher not in self._busy]
            self._work.wait(max(min(waiting) - time.monotonic(), 0.01) if waiting else None)
            self._work.clear()
            now = time.monotonic()
            for pusher in [one for one, due in self._due.items() if due <= now and one not in self._busy]:
                if self.is_stopping:
                    return
                del self._due[pusher]
                self._busy.add(pusher)
                self._pool.spawn(self._take_turn, pusher)

    def _take_turn(self, pusher: int) -> None:
        try:
            again_s = self._serve(pusher)
            if again_s is not None:
                self._due[pusher] = time.monotonic() + again_s
        finally:
            self._busy.discard(pusher)
            self._work.set()
