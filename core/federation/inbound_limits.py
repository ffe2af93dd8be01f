"""How much one other server may ask of us at once: `rc_federation`, with the meaning Synapse gives it.

Of the requests a server makes within a window, those past a limit are delayed; only some of them are worked on at the same
time; and when too many wait, further ones are refused. Whoever is refused is told when to come back.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import gevent
from gevent.lock import BoundedSemaphore

from core.errors import LimitExceeded
from core.ids import ServerName

MOST_IDLE = 10_000
"""How many servers' windows are kept while nothing of theirs is worked on."""


@dataclass(frozen=True, slots=True)
class InboundRate:
    """The settings: times in milliseconds, counts of requests."""

    window_ms: int = 1_000
    sleep_limit: int = 10
    sleep_ms: int = 500
    reject_limit: int = 50
    concurrent: int = 3


@dataclass(slots=True)
class _Origin:
    """One server's requests: when they came, how many wait, and the places at work."""

    places: BoundedSemaphore
    times: deque[float] = field(default_factory=deque)
    waiting: int = 0
    working: int = 0


class InboundLimits:
    """Counts. Every `enter` that returned is followed by one `leave`."""

    def __init__(
        self,
        rate: InboundRate,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = gevent.sleep,
    ) -> None:
        self._rate = rate
        self._clock = clock
        self._sleep = sleep
        self._origins: dict[ServerName, _Origin] = {}

    def enter(self, origin: ServerName) -> None:
        """Wait until a request of the server may be worked on. Raises LimitExceeded where too many wait already."""
        one, now = self._origin(origin), self._clock()
        while one.times and one.times[0] <= now - self._rate.window_ms / 1000:
            one.times.popleft()
        if one.waiting >= self._rate.reject_limit:
            raise LimitExceeded(
                f"{origin} has {one.waiting} requests waiting here, and no more are taken.",
                retry_after_ms=self._rate.window_ms,
                limiter="rc_federation",
            )
        one.times.append(now)
        one.waiting += 1
        try:
            if len(one.times) > self._rate.sleep_limit:
                self._sleep(self._rate.sleep_ms / 1000)
            one.places.acquire()
        finally:
            one.waiting -= 1
        one.working += 1

    def leave(self, origin: ServerName) -> None:
        """A request is done with."""
        one = self._origins[origin]
        one.working -= 1
        one.places.release()

    def _origin(self, origin: ServerName) -> _Origin:
        found = self._origins.get(origin)
        if found is None:
            if len(self._origins) >= MOST_IDLE:
                self._origins = {name: one for name, one in self._origins.items() if one.waiting or one.working}
            found = self._origins[origin] = _Origin(BoundedSemaphore(self._rate.concurrent))
        return found
