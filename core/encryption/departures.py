"""What goes with a device: its keys and the messages that wait for it.

The device store calls this for every removal, in the removal's transaction: a logout, a deletion, a deactivation and an
eviction all leave the same nothing behind.
"""

from __future__ import annotations

from collections.abc import Sequence

from core.ids import UserNid
from core.storage.device_keys import DeviceKeyStore
from core.storage.devices import DeviceNid
from core.storage.one_time_keys import OneTimeKeyStore
from core.storage.to_device import ToDeviceStore
from core.storage.writer import Transaction


class DeviceDepartures:
    """A removal listener of core.storage.devices.DeviceStore: hand `leave` to its constructor."""

    def __init__(self, device_keys: DeviceKeyStore, one_time_keys: OneTimeKeyStore, messages: ToDeviceStore) -> None:
        self._device_keys = device_keys
        self._one_time_keys = one_time_keys
        self._messages = messages

    def leave(self, transaction: Transaction, user_nid: UserNid, device_nids: Sequence[DeviceNid]) -> None:
        """Drop what these devices had."""
        self._device_keys.remove(transaction, device_nids)
        self._one_time_keys.remove(transaction, device_nids)
        self._messages.remove(transaction, device_nids)
