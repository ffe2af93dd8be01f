"""Asking for the device lists of remote users as soon as an announcement shows that ours has a hole.

Whoever queries keys meanwhile shares the question. What cannot be asked for now is asked for with the next query.
Spec: Server-Server API, "Device Management".
"""

from __future__ import annotations

import logging
from collections import OrderedDict

from gevent.pool import Pool

from core.errors import MatrixError
from core.federation.remote_device_keys import RemoteDeviceKeys
from core.ids import UserId

LISTS_AT_ONCE = 10
MOST_WAITING = 1_000
"""How many users' lists wait to be asked for; of more, the oldest are left to the next query."""
TIMEOUT_MS = 10_000

logger = logging.getLogger(__name__)


class DeviceListRefresh:
    """Asks in the background. `stop` once."""

    def __init__(self, keys: RemoteDeviceKeys) -> None:
        self._keys = keys
        self._waiting: OrderedDict[UserId, None] = OrderedDict()
        self._pool = Pool(LISTS_AT_ONCE)

    def soon(self, user_id: UserId) -> None:
        """Ask for a user's list. Does not wait."""
        self._waiting[user_id] = None
        if len(self._waiting) > MOST_WAITING:
            self._waiting.popitem(last=False)
        if self._pool.free_count():
            self._pool.spawn(self._work)

    def stop(self) -> None:
        """Leave the rest to queries."""
        self._waiting.clear()
        self._pool.kill()

    def _work(self) -> None:
        while self._waiting:
            user_id, _ = self._waiting.popitem(last=False)
            try:
                self._keys.resynchronise(user_id, TIMEOUT_MS)
            except MatrixError as error:
                logger.info("The device list of %s is not to be had now: %s", user_id, error.sentence)
            except Exception:
                logger.exception("The device list of %s could not be taken.", user_id)
