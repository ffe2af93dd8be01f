"""Tells plugins that a user's device syncs, or that its user does something, now and then and not each time."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from core.hooks.manager import PluginManager
from core.hooks.specs import observers
from core.ids import DeviceId, Requester, UserNid

TOLD_SECONDS = 15.0
"""A device of which nothing else is new is told of again after this long."""
ACTED_SECONDS = 30.0
"""That the user of a device does things is told again after this long."""
MAX_DEVICES = 50_000
"""Of so many devices it is remembered when they were told of."""


class Activity:
    """Calls `user_active`. Costs nothing where no plugin wants to know."""

    def __init__(self, plugins: PluginManager, clock: Callable[[], float] = time.monotonic) -> None:
        self._plugins = plugins
        self._clock = clock
        self._told: OrderedDict[tuple[UserNid, DeviceId | None], tuple[float, str]] = OrderedDict()
        self._acted: OrderedDict[tuple[UserNid, DeviceId | None], float] = OrderedDict()

    def acted(self, requester: Requester) -> None:
        """The user sent something, or is about to."""
        if not self._plugins.has(observers.user_active):
            return
        key, now = (requester.user_nid, requester.device_id), self._clock()
        acted_at = self._acted.get(key)
        if acted_at is not None and now - acted_at < ACTED_SECONDS:
            return
        self._acted[key] = now
        self._acted.move_to_end(key)
        if len(self._acted) > MAX_DEVICES:
            self._acted.popitem(last=False)
        self._tell(requester, "online", True)

    def note(self, requester: Requester, set_presence: str) -> None:
        """A sync began."""
        if not self._plugins.has(observers.user_active):
            return
        key, now = (requester.user_nid, requester.device_id), self._clock()
        told = self._told.get(key)
        if told is not None and told[1] == set_presence and now - told[0] < TOLD_SECONDS:
            return
        self._told[key] = (now, set_presence)
        self._told.move_to_end(key)
        if len(self._told) > MAX_DEVICES:
            self._told.popitem(last=False)
        self._tell(requester, set_presence, False)

    def _tell(self, requester: Requester, set_presence: str, is_acting: bool) -> None:
        self._plugins.tell(
            observers.user_active,
            user_id=requester.user_id,
            device_id=requester.device_id,
            set_presence=set_presence,
            is_acting=is_acting,
        )
