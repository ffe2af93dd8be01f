"""Telling other servers what changed in a local user's devices and cross-signing keys, change by change.

What was announced last is on record, so a line of the log, which only says that something changed, becomes exactly the
devices that are new, different or gone. Announcements are numbered for each user, and each names the one before it, so
that whoever missed one notices. Spec: Server-Server API, "Device Management", "m.signing_key_update".
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from typing import Any

import orjson

from core.encryption.queries import KeyQueries
from core.events.canonical_json import encode
from core.ids import ServerName, UserId, UserNid
from core.storage.announced_devices import Announced, AnnouncedDevicesStore
from core.storage.outbound_device_lists import OutboundDeviceListStore
from core.storage.writer import Transaction, Writer

NO_SUCH_STREAM_ID = 0
"""What the first announcement follows: whoever has asked for the list before has a greater number, or an empty list."""


class DeviceAnnouncements:
    """Queues what other servers have to hear. `queue` is read by the senders."""

    def __init__(
        self,
        queries: KeyQueries,
        announced: AnnouncedDevicesStore,
        queue: OutboundDeviceListStore,
        writer: Writer,
        with_names: bool,
    ) -> None:
        self._queries = queries
        self._announced = announced
        self.queue = queue
        self._writer = writer
        self._with_names = with_names

    def announce(self, user_id: UserId, user_nid: UserNid, position: int, servers: Collection[ServerName]) -> bool:
        """Queue what changed since the last time, durably; whether anything did. `position` is that of the change."""
        current = orjson.loads(self._queries.device_list(user_id, self._with_names))
        devices = {device["device_id"]: device for device in current["devices"]}
        cross_signing = _cross_signing(current)

        def queue(transaction: Transaction) -> bool:
            before = self._announced.get_in(transaction, user_nid)
            stream_id, edus = _news(user_id, before, devices, position)
            signing = _digest(cross_signing) if cross_signing else ""
            if signing != before.cross_signing:
                edus.append(_edu("m.signing_key_update", {"user_id": user_id, **cross_signing}))
            if not edus:
                return False
            digests = {device_id: _digest(device) for device_id, device in devices.items()}
            self._announced.put(transaction, user_nid, Announced(stream_id, digests, signing))
            self.queue.add(transaction, servers, user_nid, edus)
            return True

        return self._writer.submit(queue, user_nid)

    def introduce(
        self, user_id: UserId, user_nid: UserNid, position: int, servers: Collection[ServerName], are_all: bool
    ) -> bool:
        """Queue what servers need to hear that were told nothing of a user who came to them at `position`.

        Each device is announced as following nothing, with the number of the whole list, which they then ask for. A
        change after `position` is left to `announce`. `are_all` says that no other server is told of the user; what is
        told now is then what later changes follow. Returns whether there is anything to tell.
        """
        current = orjson.loads(self._queries.device_list(user_id, self._with_names))
        digests = {device["device_id"]: _digest(device) for device in current["devices"]}
        is_newest = current["stream_id"] <= position
        about = {"user_id": user_id, "stream_id": current["stream_id"], "prev_id": []}

        def queue(transaction: Transaction) -> bool:
            before = self._announced.get_in(transaction, user_nid)
            edus = [
                _edu("m.device_list_update", {**device, **about})
                for device in current["devices"]
                if is_newest or before.devices.get(device["device_id"]) == digests[device["device_id"]]
            ]
            if are_all and is_newest and edus:
                cross_signing = _cross_signing(current)
                signing = _digest(cross_signing) if cross_signing else ""
                self._announced.put(transaction, user_nid, Announced(current["stream_id"], digests, signing))
            self.queue.add(transaction, servers, user_nid, edus)
            return bool(edus)

        return bool(digests) and self._writer.submit(queue, user_nid)


def _news(
    user_id: UserId, before: Announced, devices: Mapping[str, Mapping[str, Any]], position: int
) -> tuple[int, list[bytes]]:
    """The number of the last announcement, and what it takes to get from `before` to `devices`."""
    changed = [device for key, device in devices.items() if before.devices.get(key) != _digest(device)]
    gone = [{"device_id": key, "deleted": True} for key in before.devices if key not in devices]
    stream_id, edus = before.stream_id or NO_SUCH_STREAM_ID, []
    for device in (*changed, *gone):
        following = max(stream_id + 1, position)
        content = {**device, "user_id": user_id, "stream_id": following, "prev_id": [stream_id]}
        edus.append(_edu("m.device_list_update", content))
        stream_id = following
    return stream_id, edus


def _cross_signing(current: Mapping[str, Any]) -> dict[str, Any]:
    return {key: current[key] for key in ("master_key", "self_signing_key") if key in current}


def _edu(kind: str, content: Mapping[str, Any]) -> bytes:
    return encode({"edu_type": kind, "content": content}, strict=False)


def _digest(obj: Mapping[str, Any]) -> str:
    return hashlib.sha256(orjson.dumps(obj, option=orjson.OPT_SORT_KEYS)).hexdigest()[:24]
