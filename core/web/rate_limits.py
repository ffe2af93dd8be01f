"""Rate limits: token buckets in memory, under Synapse's `rc_*` names.

A limit is (per_second, burst_count): `burst_count` requests at once, then `per_second` of them. A bucket is one number,
the time at which it will be full again, so a bucket that is full needs no memory at all. Limits hold per process; where
several share the work, the composition root hands in another `RateLimiter`.
"""

from __future__ import annotations

import heapq
import math
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

from core.errors import LimitExceeded


class Limit(NamedTuple):
    """`burst_count` requests at once, refilled at `per_second`."""

    per_second: float
    burst_count: float


class RateLimiter(Protocol):
    """What the gate asks; implemented here in memory."""

    def check(self, name: str, key: str, cost: float = 1.0) -> None:
        """Spend `cost` of `key`'s bucket under limit `name`. Raises: `LimitExceeded`, and then nothing is spent."""

    def peek(self, name: str, key: str, cost: float = 1.0) -> None:
        """Spend nothing. Raises: `LimitExceeded` where `check` would."""


OverrideOf = Callable[[str, str], Limit | None]
"""(limit's name, key) -> the limit that holds for this key instead, or None. A burst of 0 or less means no limit."""


class RateLimits:
    """Token buckets for every configured limit.

    At most `max_keys` buckets are kept over all limits; beyond that the ones nearest to full are forgotten first, which
    forgives the least.
    """

    def __init__(
        self,
        limits: Mapping[str, tuple[float, float]],
        override_of: OverrideOf | None = None,
        clock: Callable[[], float] = time.monotonic,
        max_keys: int = 50_000,
    ) -> None:
        self._limits = {name: Limit(*limit) for name, limit in limits.items()}
        self._override_of = override_of
        self._clock = clock
        self._max_keys = max_keys
        self._full_at: dict[tuple[str, str], float] = {}

    def check(self, name: str, key: str, cost: float = 1.0) -> None:
        """Spend `cost` of `key`'s bucket. Raises: `LimitExceeded`; `LookupError` for a name that is not configured."""
        full_at = self._full_after(name, key, cost)
        if full_at is None:
            return
        bucket = (name, key)
        if len(self._full_at) >= self._max_keys and bucket not in self._full_at:
            self._prune(self._clock())
        self._full_at[bucket] = full_at

    def peek(self, name: str, key: str, cost: float = 1.0) -> None:
        """Raise as `check` would and spend nothing: for limits on failures, which are spent when one happens."""
        self._full_after(name, key, cost)

    def __len__(self) -> int:
        """How many buckets are in memory."""
        return len(self._full_at)

    def _full_after(self, name: str, key: str, cost: float) -> float | None:
        """When the bucket will be full again once `cost` is spent, None where the key has no limit."""
        limit = (self._override_of(name, key) if self._override_of is not None else None) or self._limit(name)
        if limit.burst_count <= 0 or limit.per_second == math.inf:
            return None
        interval = 1 / limit.per_second if limit.per_second > 0 else 1e9
        now = self._clock()
        full_at = max(self._full_at.get((name, key), now), now) + min(cost, limit.burst_count) * interval
        wait = full_at - now - limit.burst_count * interval
        if wait > 1e-6:
            retry_after_ms = max(1, math.ceil(min(wait, 1e9) * 1000))
            raise LimitExceeded(
                f"Too many requests: the limit {name} allows the next one in {retry_after_ms} ms.",
                retry_after_ms=retry_after_ms,
                limiter=name,
            )
        return full_at

    def _limit(self, name: str) -> Limit:
        limit = self._limits.get(name)
        if limit is None:
            raise LookupError(f"There is no rate limit {name!r}; there are {', '.join(sorted(self._limits))}.")
        return limit

    def _prune(self, now: float) -> None:
        """Forget buckets that are full, and where that frees less than a tenth, those nearest to full."""
        self._full_at = {bucket: full_at for bucket, full_at in self._full_at.items() if full_at > now}
        surplus = len(self._full_at) - self._max_keys * 9 // 10
        if surplus > 0:
            for bucket in heapq.nsmallest(surplus, self._full_at, key=self._full_at.__getitem__):
                del self._full_at[bucket]


class NoLimits:
    """Lets everything pass: for servers under test."""

    def check(self, name: str, key: str, cost: float = 1.0) -> None:
        """Pass."""

    def peek(self, name: str, key: str, cost: float = 1.0) -> None:
        """Pass."""
