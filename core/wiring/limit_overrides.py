"""Other rate limits for single users, where a plugin says so: `ratelimit_override`, asked once a minute."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from core.hooks.manager import PluginManager
from core.hooks.specs import limits
from core.ids import UserId, is_user_id
from core.web.rate_limits import Limit

KEPT_SECONDS = 60.0
MAX_KEPT = 50_000
"""Answers kept at most; the oldest goes first."""


class LimitOverrides:
    """Implements core.web.rate_limits.OverrideOf. Costs nothing where no plugin has a say."""

    def __init__(self, plugins: PluginManager, clock: Callable[[], float] = time.monotonic) -> None:
        self._plugins = plugins
        self._clock = clock
        self._kept: OrderedDict[tuple[str, str], tuple[float, Limit | None]] = OrderedDict()

    def __call__(self, name: str, key: str) -> Limit | None:
        """The limit that holds for `key` in place of the configured one, if `key` is a user and a plugin gives one."""
        if not self._plugins.has(limits.ratelimit_override) or not is_user_id(key):
            return None
        now = self._clock()
        kept = self._kept.get((name, key))
        if kept is not None and kept[0] > now:
            return kept[1]
        answer = self._plugins.ask(limits.ratelimit_override, user_id=UserId(key), limiter=name)
        limit = None
        if answer is not None:
            limit = Limit(answer.per_second, answer.burst_count if answer.per_second > 0 else 0)
        self._kept.pop((name, key), None)
        self._kept[name, key] = (now + KEPT_SECONDS, limit)
        if len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)
        return limit
