"""Devices that nobody uses any more, and the addresses that nobody needs to know any more.

`delete_stale_devices_after` signs a device out; `user_ips_max_age` forgets from where it was seen. A dehydrated device
is never seen, and stays.
"""

from __future__ import annotations

from core.accounts.clock import Clock, wall_clock_ms
from core.accounts.last_seen import LastSeen
from core.accounts.sessions import Sessions
from core.ids import DeviceId, UserNid
from core.storage.devices import DeviceStore
from core.storage.writer import Writer

REMOVED_AT_ONCE = 500
"""How many devices one run removes; the next goes on."""


class StaleDevices:
    """Runs now and then. Times are in milliseconds, None for never."""

    def __init__(
        self,
        store: DeviceStore,
        sessions: Sessions,
        last_seen: LastSeen,
        writer: Writer,
        delete_after_ms: int | None,
        forget_addresses_after_ms: int | None,
        now_ms: Clock = wall_clock_ms,
    ) -> None:
        self._store = store
        self._sessions = sessions
        self._last_seen = last_seen
        self._writer = writer
        self._delete_after_ms = delete_after_ms
        self._forget_after_ms = forget_addresses_after_ms
        self._now_ms = now_ms

    def remove(self) -> int:
        """Sign out what nobody has used for too long; how many devices."""
        if self._delete_after_ms is None:
            return 0
        self._last_seen.flush()  # what was used a moment ago must not look unused
        stale: dict[UserNid, list[DeviceId]] = {}
        found = self._store.unseen_since(self._now_ms() - self._delete_after_ms, REMOVED_AT_ONCE)
        for user_nid, device_id in found:
            stale.setdefault(user_nid, []).append(device_id)
        for user_nid, device_ids in stale.items():
            self._sessions.close_devices(user_nid, device_ids)
        return len(found)

    def forget_addresses(self) -> int:
        """Forget addresses that are too old; of how many devices."""
        if self._forget_after_ms is None:
            return 0
        before_ms = self._now_ms() - self._forget_after_ms
        return self._writer.submit(lambda transaction: self._store.forget_addresses(transaction, before_ms))
