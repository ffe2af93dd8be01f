"""Publishing a device's keys: identity keys, one-time keys and fallback keys.

Only the device itself writes them, and what it writes has been checked before the writer sees it. Uploading the same
again changes nothing and wakes nobody.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from core.encryption.key_shapes import checked_device_keys, checked_fallback_keys, checked_one_time_keys
from core.errors import BadRequest, Forbidden, InvalidParam, NotFound
from core.events.signatures import signed_bytes
from core.ids import DeviceId, Requester, UserNid
from core.storage.cross_signing import CrossSigningStore
from core.storage.device_keys import DeviceKeyStore
from core.storage.devices import DeviceNid, DeviceStore
from core.storage.one_time_keys import OneTimeKeyStore, UploadedKey
from core.storage.writer import Transaction, Writer

MAX_ONE_TIME_KEYS = 2_000
"""How many unclaimed one-time keys a device may have; clients keep 50 to 100."""


@dataclass(frozen=True, slots=True)
class Upload:
    """The checked content of an upload."""

    device_keys: Mapping[str, Any] | None
    one_time_keys: Sequence[UploadedKey]
    fallback_keys: Sequence[UploadedKey]


def checked_upload(body: Mapping[str, Any], user_id: str, device_id: str) -> Upload:
    """Read the body of an upload; a part that is null counts as absent. Raises: as core.encryption.key_shapes."""
    device_keys = body.get("device_keys")
    one_time_keys = body.get("one_time_keys")
    fallback_name = "fallback_keys" if body.get("fallback_keys") is not None else "org.matrix.msc2732.fallback_keys"
    fallback_keys = body.get(fallback_name)
    return Upload(
        None if device_keys is None else checked_device_keys(device_keys, user_id, device_id),
        [] if one_time_keys is None else checked_one_time_keys(one_time_keys, "one_time_keys"),
        [] if fallback_keys is None else checked_fallback_keys(fallback_keys, fallback_name),
    )


class KeyUploads:
    """Takes in keys."""

    def __init__(
        self,
        devices: DeviceStore,
        device_keys: DeviceKeyStore,
        one_time_keys: OneTimeKeyStore,
        cross_signing: CrossSigningStore,
        writer: Writer,
    ) -> None:
        self._devices = devices
        self._device_keys = device_keys
        self._one_time_keys = one_time_keys
        self._cross_signing = cross_signing
        self._writer = writer

    def upload(self, requester: Requester, body: Mapping[str, Any]) -> dict[str, int]:
        """Take in a device's keys; how many one-time keys of each algorithm it has now.

        Raises: `InvalidParam` for a key id that is taken by another key, and as `checked_upload`.
        Spec: `POST /keys/upload`.
        """
        device_id = own_device(requester)
        upload = checked_upload(body, requester.user_id, device_id)
        return self._writer.submit(
            lambda transaction: self._upload_as(transaction, requester.user_nid, device_id, upload), requester.user_nid
        )

    def upload_in(
        self, transaction: Transaction, user_nid: UserNid, device_nid: DeviceNid, device_id: DeviceId, upload: Upload
    ) -> dict[str, int]:
        """As `upload`, of any device of the user, in the caller's transaction."""
        fallbacks = self._one_time_keys.fallbacks_in(transaction, device_nid) if upload.fallback_keys else {}
        is_same_identity = True
        if upload.device_keys is not None:
            is_same_identity = self._put_device_keys(transaction, user_nid, device_nid, device_id, upload.device_keys)
        if not is_same_identity:  # what the former identity signed is of no use to anybody
            self._one_time_keys.remove(transaction, [device_nid])
            fallbacks = {}
        present = self._one_time_keys.of_device_in(transaction, device_nid)
        known = {(key.algorithm, key.key_id): key.body for key in present}
        added = [key for key in upload.one_time_keys if _is_new(known, key)]
        if len(present) + len(added) > MAX_ONE_TIME_KEYS:
            raise InvalidParam(f"A device may have at most {MAX_ONE_TIME_KEYS} one-time keys that nobody claimed.")
        changed = [key for key in upload.fallback_keys if fallbacks.get(key.algorithm) != key]
        self._one_time_keys.add(transaction, device_nid, added)
        self._one_time_keys.put_fallbacks(transaction, device_nid, changed)
        if added or changed or not is_same_identity:
            self._one_time_keys.tell(transaction, user_nid, device_nid)
        return dict(Counter(key.algorithm for key in (*present, *added)))

    def _upload_as(
        self, transaction: Transaction, user_nid: UserNid, device_id: DeviceId, upload: Upload
    ) -> dict[str, int]:
        device_nid = self._devices.find_nid_in(transaction, user_nid, device_id)
        if device_nid is None:
            raise NotFound(f"The device {device_id} does not exist any more.")
        self._one_time_keys.lock(transaction, [device_nid])
        return self.upload_in(transaction, user_nid, device_nid, device_id, upload)

    def _put_device_keys(
        self,
        transaction: Transaction,
        user_nid: UserNid,
        device_nid: DeviceNid,
        device_id: DeviceId,
        keys: Mapping[str, Any],
    ) -> bool:
        """Write identity keys where they differ; whether the device is still who it was."""
        stored = self._device_keys.find_in(transaction, device_nid)
        if stored is None:
            taken = self._cross_signing.of_user(transaction, user_nid).values()
            if any(key.public_key == device_id for key in taken):
                raise Forbidden("The device has the same id as a cross-signing key of its user.")
            self._device_keys.put(transaction, user_nid, device_nid, orjson.dumps(keys))
            return True
        former = orjson.loads(stored)
        if signed_bytes(former) != signed_bytes(keys):
            self._device_keys.put(transaction, user_nid, device_nid, orjson.dumps(keys))
            return bool(former["keys"] == keys["keys"])
        merged = merged_signatures(former, keys)
        if merged != former:
            self._device_keys.put(transaction, user_nid, device_nid, orjson.dumps(merged))
        return True


def own_device(requester: Requester) -> DeviceId:
    """The device that asks. Raises: `BadRequest` for an access token without one."""
    if requester.device_id is None:
        raise BadRequest("This access token belongs to no device, and only devices have keys and messages.")
    return requester.device_id


def merged_signatures(key: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """`key` with the signatures of `other` added to its own."""
    merged = {user: dict(entry) for user, entry in key.get("signatures", {}).items()}
    for user, entry in other.get("signatures", {}).items():
        merged.setdefault(user, {}).update(entry)
    return {**key, "signatures": merged}


def _is_new(known: dict[tuple[str, str], bytes], key: UploadedKey) -> bool:
    body = known.get((key.algorithm, key.key_id))
    if body is not None and body != key.body:
        raise InvalidParam(
            f"There is another one-time key {key.algorithm}:{key.key_id} already; an id is used for one key only."
        )
    return body is None
