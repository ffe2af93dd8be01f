"""Devices as their user sees them: listed with when they were last seen, and renamed.

Spec: Client-Server API, "Device Management".
"""

from __future__ import annotations

from dataclasses import replace

from core.accounts.last_seen import LastSeen
from core.errors import NotFound
from core.ids import DeviceId, UserNid
from core.storage.devices import Device, DeviceStore
from core.storage.writer import Writer


class Devices:
    """A user's own devices."""

    def __init__(self, store: DeviceStore, last_seen: LastSeen, writer: Writer) -> None:
        self._store = store
        self._last_seen = last_seen
        self._writer = writer

    def of_user(self, user_nid: UserNid) -> list[Device]:
        """All of them, sightings that are not written yet included."""
        return [self._fresh(device) for device in self._store.of_user(user_nid)]

    def get(self, user_nid: UserNid, device_id: DeviceId) -> Device:
        """One of them. Raises: `NotFound`."""
        found = self._store.find(user_nid, device_id)
        if found is None:
            raise NotFound("There is no such device.")
        return self._fresh(found)

    def rename(self, user_nid: UserNid, device_id: DeviceId, display_name: str | None) -> None:
        """Set the display name; None leaves it as it is. Raises: `NotFound`."""
        if display_name is None:
            self.get(user_nid, device_id)
            return
        is_there = self._writer.submit(
            lambda transaction: self._store.rename(transaction, user_nid, device_id, display_name), user_nid
        )
        if not is_there:
            raise NotFound("There is no such device.")

    def _fresh(self, device: Device) -> Device:
        noted = self._last_seen.noted(device.user_nid, device.device_id)
        if noted is None:
            return device
        seen_ms, ip, user_agent = noted
        return replace(device, last_seen_ms=seen_ms, last_seen_ip=ip, last_seen_user_agent=user_agent)
