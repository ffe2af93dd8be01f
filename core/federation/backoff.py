"""Back-off: how long a server that does not answer is left alone.

Three tiers. A *transient* failure lives in memory: pauses of a second, doubling up to half a minute, so that a partition
heals soon. A server is *down* once it has failed for a quarter of an hour: pauses as configured, doubling, on record. It
is *dead* after a week: then only the longest pause applies, and nothing but a request of its own, or one we are made to
send, brings it back. Any request signed by the server itself ends the pause at once.
"""

from __future__ import annotations

import enum
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from random import Random

from core.errors import Unavailable
from core.ids import ServerName
from core.storage.destinations import DestinationStore, Outage
from core.storage.writer import Writer

FIRST_PAUSE_MS = 1_000
LONGEST_TRANSIENT_PAUSE_MS = 30_000
TRANSIENT_MS = 15 * 60_000
"""For how long a failure is called transient."""
DEAD_AFTER_MS = 7 * 24 * 3600_000
"""After how long a server is called dead."""

REREAD_MS = 30_000
"""How often the record of a server that is left alone is looked at again."""

logger = logging.getLogger(__name__)


class Tier(enum.Enum):
    """How a server is doing."""

    UP = "up"
    TRANSIENT = "transient"
    DOWN = "down"
    DEAD = "dead"


class ServerDown(Unavailable):
    """The server has not answered of late and is not tried now. Field: `retry_after_ms`."""


class Backoff:
    """Which servers do not answer, and when they are tried again.

    `on_revival` is told each server that answers, or calls, after it was down: for those who have something for it.
    """

    def __init__(
        self,
        store: DestinationStore,
        writer: Writer,
        first_pause_ms: int,
        multiplier: int,
        longest_pause_ms: int,
        clock: Callable[[], float] = time.time,
        random: Random | None = None,
    ) -> None:
        self._store = store
        self._writer = writer
        self._first_pause_ms = first_pause_ms
        self._multiplier = multiplier
        self._longest_pause_ms = longest_pause_ms
        self._clock = clock
        self._random = random or Random()
        self._on_record: dict[ServerName, int] = {}
        """Outages in the database, and when each was read or written."""
        self._outages: dict[ServerName, Outage] = {}
        self._followers: list[Callable[[ServerName], None]] = []
        self._load(store.all())

    def on_revival(self, follower: Callable[[ServerName], None]) -> None:
        """Call `follower(server)` when a server comes back; it must not wait."""
        self._followers.append(follower)

    def tier(self, server: ServerName) -> Tier:
        """How the server is doing."""
        outage = self._outages.get(server)
        if outage is None:
            return Tier.UP
        failing_ms = self._now() - outage.failing_since_ts
        if failing_ms < TRANSIENT_MS:
            return Tier.TRANSIENT
        return Tier.DOWN if failing_ms < DEAD_AFTER_MS else Tier.DEAD

    def pause_ms(self, server: ServerName) -> int:
        """For how long the server is still left alone; 0 where it may be tried now."""
        self._look_again(server)
        outage = self._outages.get(server)
        return 0 if outage is None else max(outage.retry_ts - self._now(), 0)

    def outages(self) -> list[Outage]:
        """Every server that does not answer."""
        return list(self._outages.values())

    def require(self, server: ServerName) -> None:
        """Raise ServerDown while the server is left alone."""
        pause = self.pause_ms(server)
        if pause:
            minutes = -(-pause // 60_000)
            when = "within a minute" if minutes == 1 else f"in {minutes} minutes"
            raise ServerDown(f"{server} has not answered of late; it is tried again {when}.", retry_after_ms=pause)

    def failed(self, server: ServerName) -> None:
        """The server did not answer, or could not help; tries during a pause do not make it longer."""
        now, before = self._now(), self._outages.get(server)
        if before is not None and now < before.retry_ts:
            return
        since = before.failing_since_ts if before is not None else now
        outage = Outage(server, since, (before.failures if before is not None else 0) + 1, now)
        is_transient = now - since < TRANSIENT_MS
        outage = replace(outage, retry_ts=now + self._next_pause_ms(outage, is_transient))
        self._outages[server] = outage
        if not is_transient:
            self._on_record[server] = now
            self._writer.submit(lambda transaction: self._store.set(transaction, outage))

    def succeeded(self, server: ServerName) -> None:
        """The server answered."""
        if server in self._outages:
            self._revive(server)

    def called(self, server: ServerName) -> None:
        """The server sent us a request it signed, so it is there."""
        if server in self._outages:
            self._revive(server)

    def _revive(self, server: ServerName) -> None:
        outage = self._outages.pop(server)
        if server in self._on_record:
            del self._on_record[server]
            logger.info("%s is back after %d failed tries.", server, outage.failures)
            self._writer.submit(lambda transaction: self._store.remove(transaction, server))
        self._tell(server)

    def _load(self, outages: Iterable[Outage]) -> None:
        for outage in outages:
            self._outages[outage.server_name] = outage
            self._on_record[outage.server_name] = self._now()

    def _look_again(self, server: ServerName) -> None:
        """Learn from the database whether another worker has heard of the server meanwhile."""
        read_at = self._on_record.get(server)
        if read_at is None or self._now() - read_at < REREAD_MS:
            return
        self._on_record[server] = self._now()
        kept = self._store.find(server)
        if kept is not None:
            self._outages[server] = kept
            return
        self._on_record.pop(server, None)
        if self._outages.pop(server, None) is not None:
            self._tell(server)

    def _tell(self, server: ServerName) -> None:
        for follower in self._followers:
            follower(server)

    def _next_pause_ms(self, outage: Outage, is_transient: bool) -> int:
        """The pause after the last of the failures, spread by a quarter either way."""
        if is_transient:
            pause = min(FIRST_PAUSE_MS * 2 ** min(outage.failures - 1, 16), LONGEST_TRANSIENT_PAUSE_MS)
        elif outage.retry_ts - outage.failing_since_ts >= DEAD_AFTER_MS:
            pause = self._longest_pause_ms
        else:
            # the pause grows with the time the server has been away, so restarts and idle spells change nothing
            pause, away = self._first_pause_ms, outage.retry_ts - outage.failing_since_ts
            while pause * self._multiplier <= away and pause < self._longest_pause_ms and self._multiplier > 1:
                pause *= self._multiplier
            pause = min(pause, self._longest_pause_ms)
        return int(pause * (0.75 + self._random.random() / 2))

    def _now(self) -> int:
        return int(self._clock() * 1000)
