"""Claiming one-time keys: each is given out once, then the device's fallback key serves."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from core.encryption.remote import Claims, RemoteKeys
from core.ids import DeviceId, ServerName, UserId, UserNid, server_of
from core.storage.devices import DeviceNid
from core.storage.one_time_keys import OneTimeKeyStore, UploadedKey
from core.storage.to_device import Recipient, ToDeviceStore
from core.storage.writer import Transaction, Writer


class KeyClaims:
    """Gives out one-time keys."""

    def __init__(
        self,
        server_name: ServerName,
        store: OneTimeKeyStore,
        recipients: ToDeviceStore,
        remote: RemoteKeys,
        writer: Writer,
    ) -> None:
        self._server_name = server_name
        self._store = store
        self._recipients = recipients
        self._remote = remote
        self._writer = writer

    def claim(self, wanted: Claims, timeout_ms: int) -> bytes:
        """The answer to a client, as JSON. Spec: `POST /keys/claim`."""
        here = {user: devices for user, devices in wanted.items() if server_of(user) == self._server_name}
        found = self.claim_here(here) if here else b"{}"
        elsewhere = {user: devices for user, devices in wanted.items() if user not in here}
        if not elsewhere:
            return b'{"failures":{},"one_time_keys":%b}' % found
        remote = self._remote.claim(elsewhere, timeout_ms)
        keys = {**orjson.loads(found), **remote.one_time_keys}
        return orjson.dumps({"failures": remote.failures, "one_time_keys": keys})

    def claim_here(self, wanted: Claims) -> bytes:
        """Keys of local users' devices, a JSON object by user, device and key id; what has none is left out.

        Spec: Server-Server API, `POST /user/keys/claim`.
        """
        given = self._writer.submit(lambda transaction: self._claim(transaction, wanted))
        by_user: dict[UserId, list[bytes]] = {}
        for recipient, key in given:
            by_user.setdefault(recipient.user_id, []).append(
                b"%b:{%b:%b}"
                % (orjson.dumps(recipient.device_id), orjson.dumps(f"{key.algorithm}:{key.key_id}"), key.body)
            )
        users = (b"%b:{%b}" % (orjson.dumps(user), b",".join(devices)) for user, devices in by_user.items())
        return b"{%b}" % b",".join(users)

    def _claim(self, transaction: Transaction, wanted: Claims) -> list[tuple[Recipient, UploadedKey]]:
        devices: dict[str, dict[DeviceNid, Recipient]] = {}
        for recipient in self._recipients.recipients_in(transaction, list(wanted)):
            algorithm = wanted[recipient.user_id].get(recipient.device_id)
            if algorithm is not None:
                devices.setdefault(algorithm, {})[recipient.device_nid] = recipient
        self._store.lock(transaction, [nid for found in devices.values() for nid in found])
        given: list[tuple[Recipient, UploadedKey]] = []
        for algorithm, found in devices.items():
            given += self._take(transaction, algorithm, found)
        return given

    def _take(
        self, transaction: Transaction, algorithm: str, devices: Mapping[DeviceNid, Recipient]
    ) -> list[tuple[Recipient, UploadedKey]]:
        keys = self._store.take(transaction, algorithm, devices.keys())
        changed = list(keys)
        without = devices.keys() - keys.keys()
        if without:
            fallbacks, first_used = self._store.take_fallbacks(transaction, algorithm, without)
            keys |= fallbacks
            changed += first_used
        for nid in changed:
            self._store.tell(transaction, UserNid(devices[nid].user_nid), nid)
        return [(devices[nid], key) for nid, key in keys.items()]


def checked_claims(value: Mapping[str, Mapping[str, str]]) -> Claims:
    """Typed view of a body whose shape has been checked."""
    return {
        UserId(user): {DeviceId(device): algorithm for device, algorithm in devices.items()}
        for user, devices in value.items()
    }
