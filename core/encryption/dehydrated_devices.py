"""Dehydrated devices, which receive messages while their user is signed in nowhere.

Such a device exists only as public keys and an encrypted blob; the next device that signs in takes it up.

Each user has at most one; making another replaces it. It has no access token and never syncs: whoever rehydrates it
pages through its messages, which stay until the device is deleted. Spec: MSC3814.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from core.encryption.to_device import ToDevice
from core.encryption.uploads import KeyUploads, checked_upload
from core.errors import Forbidden, InvalidParam, MissingParam, NotFound, TooLarge
from core.ids import DeviceId, Requester
from core.storage.database import Database
from core.storage.device_keys import DeviceKeyStore
from core.storage.devices import Device, DeviceNid, DeviceStore
from core.storage.writer import Transaction, Writer, advance

MAX_DEVICE_DATA_BYTES = 262_144
"""Largest encrypted blob."""


class DehydratedDevices:
    """A user's dehydrated device."""

    def __init__(
        self,
        database: Database,
        devices: DeviceStore,
        store: DeviceKeyStore,
        uploads: KeyUploads,
        messages: ToDevice,
        writer: Writer,
        now_ms: Callable[[], int],
    ) -> None:
        self._database = database
        self._devices = devices
        self._store = store
        self._uploads = uploads
        self._messages = messages
        self._writer = writer
        self._now_ms = now_ms

    def put(
        self,
        requester: Requester,
        device_id: DeviceId,
        display_name: str | None,
        device_data: Mapping[str, Any],
        body: Mapping[str, Any],
    ) -> None:
        """Make the user's dehydrated device, in place of the one there may be. `body` has its keys, as an upload does.

        Raises: `Forbidden` for the id of a device that is signed in, `MissingParam`, `InvalidParam`, `TooLarge`.
        """
        if body.get("device_keys") is None:
            raise MissingParam("'device_keys' is required: a dehydrated device without keys would receive nothing.")
        upload = checked_upload(body, requester.user_id, device_id)
        encoded = orjson.dumps(device_data)
        if len(encoded) > MAX_DEVICE_DATA_BYTES:
            raise TooLarge(f"'device_data' is larger than the {MAX_DEVICE_DATA_BYTES} bytes allowed.")
        user_nid = requester.user_nid

        def put(transaction: Transaction) -> None:
            former = self._store.find_dehydrated(transaction, user_nid)
            present = self._devices.find_nid_in(transaction, user_nid, device_id)
            if present is not None and (former is None or former[0] != device_id):
                raise Forbidden(f"The device {device_id} is signed in; a dehydrated device needs an id of its own.")
            if former is not None:
                nid = self._devices.find_nid_in(transaction, user_nid, former[0])
                self._devices.remove(transaction, user_nid, [] if nid is None else [nid])
            fresh = DeviceNid(advance(transaction, "accounts", 1))
            self._devices.add(transaction, Device(fresh, user_nid, device_id, display_name, self._now_ms()))
            self._store.put_dehydrated(transaction, user_nid, fresh, encoded)
            self._uploads.upload_in(transaction, user_nid, fresh, device_id, upload)

        self._writer.submit(put, user_nid)

    def get(self, requester: Requester) -> tuple[DeviceId, bytes]:
        """(device id, the blob as JSON). Raises: `NotFound`."""
        found = self._store.find_dehydrated(self._database, requester.user_nid)
        if found is None:
            raise NotFound("You have no dehydrated device.")
        return found

    def delete(self, requester: Requester) -> DeviceId:
        """Delete it, with its keys and messages; its id. Raises: `NotFound`."""
        device_id, _ = self.get(requester)
        user_nid = requester.user_nid

        def delete(transaction: Transaction) -> None:
            present = self._store.find_dehydrated(transaction, user_nid)
            nid = self._devices.find_nid_in(transaction, user_nid, device_id)
            if present is not None and present[0] == device_id and nid is not None:
                self._devices.remove(transaction, user_nid, [nid])

        self._writer.submit(delete, user_nid)
        return device_id

    def events(self, requester: Requester, device_id: DeviceId, after: str | None) -> tuple[list[bytes], str]:
        """(the next messages, the token to go on with). Raises: `NotFound`, `Forbidden`, `InvalidParam`."""
        if self.get(requester)[0] != device_id:
            raise Forbidden("Only the messages of your dehydrated device may be read so.")
        if after is not None and not (after.isascii() and after.isdigit() and len(after) <= 18):
            raise InvalidParam("'next_batch' must be what an earlier answer gave.")
        device = self._devices.find(requester.user_nid, device_id)
        if device is None:
            raise NotFound("You have no dehydrated device.")
        start = int(after or 0)
        page = self._messages.page(device.device_nid, start)
        return [message.body for message in page], str(page[-1].message_nid if page else start)
