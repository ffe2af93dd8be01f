"""Querying keys: the devices of users, their cross-signing keys, and of signatures those that the asker may see.

Local keys are spliced as stored bytes; only a master key that the asker has signed is taken apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from core.encryption.remote import RemoteKeys, RemoteKeysFound, Wanted
from core.encryption.uploads import merged_signatures
from core.errors import NotFound
from core.ids import DeviceId, Requester, ServerName, UserId, UserNid
from core.storage.cross_signing import CrossSigningKey, CrossSigningStore, UserSignature
from core.storage.device_keys import DeviceKeys, DeviceKeyStore
from core.storage.interning import Interner

PARTS = ("device_keys", "master_keys", "self_signing_keys", "user_signing_keys")
_PART_OF_USAGE = {"master": PARTS[1], "self_signing": PARTS[2], "user_signing": PARTS[3]}

Parts = dict[str, dict[str, bytes]]
"""For each of PARTS, the JSON of each user."""


class KeyQueries:
    """Answers who has which keys."""

    def __init__(
        self,
        server_name: ServerName,
        device_keys: DeviceKeyStore,
        cross_signing: CrossSigningStore,
        interner: Interner,
        remote: RemoteKeys,
    ) -> None:
        self._local = f":{server_name}"
        self._device_keys = device_keys
        self._cross_signing = cross_signing
        self._interner = interner
        self._remote = remote

    def query(self, requester: Requester, wanted: Wanted, timeout_ms: int) -> bytes:
        """The answer to a client, as JSON. Spec: `POST /keys/query`."""
        here = {user: devices for user, devices in wanted.items() if user.endswith(self._local)}
        parts = self.query_here(here, requester)
        failures = b"{}"
        if len(here) < len(wanted):
            elsewhere = {user: devices for user, devices in wanted.items() if user not in here}
            found = self._remote.query(elsewhere, timeout_ms)
            self._add_remote(parts, found, requester)
            failures = orjson.dumps(found.failures)
        members = [b'"%b":%b' % (name.encode(), _joined(users)) for name, users in parts.items()]
        return b'{%b,"failures":%b}' % (b",".join(members), failures)

    def query_here(self, wanted: Wanted, viewer: Requester | None, with_names: bool = True) -> Parts:
        """Keys of local users. Without a viewer (another server asks) only what everybody may see.

        Spec: Server-Server API, `POST /user/keys/query`.
        """
        devices: dict[str, list[bytes]] = {}
        for keys in self._device_keys.of_users(wanted.keys()):
            only = wanted[keys.user_id]
            entries = devices.setdefault(keys.user_id, [])
            if keys.body is not None and (not only or keys.device_id in only):
                entries.append(_device_entry(keys, keys.body, with_names))
        parts: Parts = {name: {} for name in PARTS}
        parts["device_keys"] = {user: b"{%b}" % b",".join(entries) for user, entries in devices.items()}
        found = self._cross_signing.of_users(wanted.keys())
        signed = self._signed_by(viewer, [key.user_nid for _, key in found if key.usage == "master"])
        for user_id, key in found:
            if key.usage != "user_signing" or (viewer is not None and viewer.user_id == user_id):
                parts[_PART_OF_USAGE[key.usage]][user_id] = _with_signature(key, viewer, signed.get(key.user_nid))
        return parts

    def device_list(self, user_id: UserId, with_names: bool) -> bytes:
        """Everything another server keeps of a local user's devices, as JSON. Raises: `NotFound`.

        `stream_id` is the position of the newest change; a change that comes in between shows with a later one.
        Spec: Server-Server API, `GET /user/devices/{userId}`.
        """
        version = self._device_keys.version_of(user_id)
        if version is None:
            raise NotFound("There is no such user on this server.")
        devices = []
        for keys in self._device_keys.of_users((user_id,)):
            if keys.body is not None:
                name = orjson.dumps(keys.display_name) if with_names and keys.display_name is not None else None
                shown = b"" if name is None else b'"device_display_name":%b,' % name
                devices.append(b'{%b"device_id":%b,"keys":%b}' % (shown, orjson.dumps(keys.device_id), keys.body))
        found = {key.usage: key.body for _, key in self._cross_signing.of_users((user_id,))}
        crossed = b"".join(
            b',"%b_key":%b' % (usage.encode(), found[usage]) for usage in ("master", "self_signing") if usage in found
        )
        return b'{"devices":[%b],"stream_id":%d,"user_id":%b%b}' % (
            b",".join(devices),
            version,
            orjson.dumps(user_id),
            crossed,
        )

    def _signed_by(self, viewer: Requester | None, targets: list[UserNid]) -> Mapping[UserNid, UserSignature]:
        if viewer is None or not targets:
            return {}
        return self._cross_signing.signatures_by(viewer.user_nid, targets)

    def _add_remote(self, parts: Parts, found: RemoteKeysFound, viewer: Requester) -> None:
        for user_id, devices in found.device_keys.items():
            parts["device_keys"][user_id] = orjson.dumps(devices)
        for user_id, key in found.self_signing_keys.items():
            parts["self_signing_keys"][user_id] = orjson.dumps(key)
        nids = self._interner.known(list(found.master_keys))
        signed = self._signed_by(viewer, list(nids.values()))
        for user_id, key in found.master_keys.items():
            signature = signed.get(nids[user_id]) if user_id in nids else None
            is_of_key = signature is not None and signature.public_key in key.get("keys", {}).values()
            parts["master_keys"][user_id] = orjson.dumps(
                _merged(key, viewer, signature) if signature is not None and is_of_key else key
            )


def _device_entry(keys: DeviceKeys, body: bytes, with_names: bool) -> bytes:
    """`"DEVICE":{…}`, the stored object with `unsigned` put in before its closing brace."""
    name = keys.display_name if with_names else None
    unsigned = b"{}" if name is None else b'{"device_display_name":%b}' % orjson.dumps(name)
    return b'%b:%b,"unsigned":%b}' % (orjson.dumps(keys.device_id), body[:-1], unsigned)


def _with_signature(key: CrossSigningKey, viewer: Requester | None, signature: UserSignature | None) -> bytes:
    if viewer is None or signature is None or key.usage != "master" or signature.public_key != key.public_key:
        return key.body
    return orjson.dumps(_merged(orjson.loads(key.body), viewer, signature))


def _merged(key: dict[str, Any], viewer: Requester, signature: UserSignature) -> dict[str, Any]:
    return merged_signatures(key, {"signatures": {viewer.user_id: orjson.loads(signature.signatures)}})


def _joined(users: Mapping[str, bytes]) -> bytes:
    return b"{%b}" % b",".join([b"%b:%b" % (orjson.dumps(user), entry) for user, entry in users.items()])


def checked_wanted(value: Mapping[str, list[str]]) -> Wanted:
    """Typed view of a body whose shape has been checked."""
    return {UserId(user): [DeviceId(device) for device in devices] for user, devices in value.items()}
