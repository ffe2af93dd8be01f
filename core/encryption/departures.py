"""What goes with a device, its keys and the messages that wait for it; and what goes with an account.

The device store calls the one for every removal, in the removal's transaction: a logout, a deletion, a deactivation and
an eviction all leave the same nothing behind. The other is called when an account ends.
"""

from __future__ import annotations

from collections.abc import Sequence

from core.ids import UserNid
from core.storage.cross_signing import CrossSigningStore
from core.storage.device_keys import DeviceKeyStore
from core.storage.devices import DeviceNid
from core.storage.key_backup import KeyBackupStore
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


class AccountDepartures:
    """A listener of core.accounts.deactivation.Deactivation: hand `forget` to its `listen`."""

    def __init__(self, cross_signing: CrossSigningStore, backups: KeyBackupStore) -> None:
        self._cross_signing = cross_signing
        self._backups = backups

    def forget(self, transaction: Transaction, user_nid: UserNid, erase: bool) -> None:
        """Drop cross-signing keys and key backups; there is nobody left who could use them."""
        self._cross_signing.remove_all(transaction, user_nid)
        self._backups.remove_all(transaction, user_nid)
