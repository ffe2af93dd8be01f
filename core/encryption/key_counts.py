"""How many one-time keys a device has left, and which fallback keys were not used yet; in memory, as every sync says
so.

A count is forgotten when a ONE_TIME_KEYS line of the device comes by. A line that comes by while a count is being
read makes that count be read again the next time.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

import orjson

from core.ids import DeviceId, UserNid
from core.storage.devices import DeviceNid, DeviceStore
from core.storage.log import Kind, Line
from core.storage.one_time_keys import OneTimeKeyStore

KEPT_DEVICES = 100_000
"""Of so many devices the counts are kept, at most about 40 MB."""

Fields = Mapping[str, bytes]
"""JSON values by key."""

NO_DEVICE: Fields = {"device_one_time_keys_count": b"{}", "device_unused_fallback_key_types": b"[]"}


class KeyCounts:
    """Follows the tail of the log: `tail.follow(counts.follow, counts.followed)`."""

    followed = (Kind.ONE_TIME_KEYS, Kind.DEVICE_LIST)
    """The kinds of lines it hears of."""

    def __init__(self, store: OneTimeKeyStore, devices: DeviceStore) -> None:
        self._store = store
        self._devices = devices
        self._counts: OrderedDict[DeviceNid, Fields] = OrderedDict()
        self._nids: OrderedDict[UserNid, dict[DeviceId, DeviceNid]] = OrderedDict()
        self._changes = 0

    def follow(self, lines: list[Line]) -> None:
        """Forget what changed."""
        for line in lines:
            if line.kind is Kind.ONE_TIME_KEYS:
                self._changes += 1
                self._counts.pop(DeviceNid(line.reference), None)
            elif line.kind is Kind.DEVICE_LIST and line.subject == line.reference:
                self._changes += 1
                self._nids.pop(UserNid(line.subject), None)

    def of(self, user_nid: UserNid, device_id: DeviceId) -> Fields:
        """The fields of a sync of this device. Spec: "Extensions to /sync"."""
        device_nid = self.device_nid(user_nid, device_id)
        if device_nid is None:
            return NO_DEVICE
        found = self._counts.get(device_nid)
        if found is None:
            changes = self._changes
            counts = {"signed_curve25519": 0, **self._store.counts(device_nid)}
            found = {
                "device_one_time_keys_count": _kept(counts),
                "device_unused_fallback_key_types": _kept(self._store.unused_fallback_algorithms(device_nid)),
            }
            if changes == self._changes:
                self._counts[device_nid] = found
                if len(self._counts) > KEPT_DEVICES:
                    self._counts.popitem(last=False)
        return found

    def device_nid(self, user_nid: UserNid, device_id: DeviceId) -> DeviceNid | None:
        """The number of a device, None where it does not exist."""
        found = self._nids.get(user_nid, {}).get(device_id)
        if found is None:
            changes = self._changes
            device = self._devices.find(user_nid, device_id)
            if device is None:
                return None
            found = device.device_nid
            if changes == self._changes:
                self._nids.setdefault(user_nid, {})[device_id] = found
                if len(self._nids) > KEPT_DEVICES:
                    self._nids.popitem(last=False)
        return found


def _kept(value: object) -> bytes:
    """JSON to be kept for long, copied because what orjson returns holds on to 4 KB however short it is."""
    return bytes(memoryview(orjson.dumps(value)))
