"""Identity keys of this server's devices, as uploaded: one JSON object a device, kept as bytes.

Signatures that everybody may see (the device's own and its owner's self-signing key's) are part of the stored object,
so that answering a query joins bytes and parses nothing. Dehydrated devices are kept here, too: a device that exists
only as keys and an encrypted blob.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from core.ids import DeviceId, UserId, UserNid
from core.storage.database import Database
from core.storage.devices import DeviceNid
from core.storage.log import Kind
from core.storage.sql import marks
from core.storage.tables import BigIntegerField, BytesField, Table
from core.storage.writer import Transaction


class DeviceKeyRecord(Table):
    """The identity keys of one device."""

    device_nid = BigIntegerField(primary_key=True)
    user_nid = BigIntegerField(index=True)
    body = BytesField()

    class Meta:
        table_name = "device_keys"


class DehydratedDeviceRecord(Table):
    """A user's dehydrated device; at most one each."""

    user_nid = BigIntegerField(primary_key=True)
    device_nid = BigIntegerField()
    body = BytesField()

    class Meta:
        table_name = "dehydrated_devices"


class DeviceKeys(NamedTuple):
    """What one device published. `body` is a JSON object without `unsigned`."""

    user_id: UserId
    device_id: DeviceId
    display_name: str | None
    body: bytes | None
    """None, and no device id, for a user none of whose devices has keys."""


class DeviceKeyStore:
    """Reads and writes identity keys. Transactions are the caller's; each change is told as a DEVICE_LIST line."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._put = database.dialect.upsert(DeviceKeyRecord)
        self._put_dehydrated = database.dialect.upsert(DehydratedDeviceRecord)

    def of_users(self, user_ids: Collection[str]) -> list[DeviceKeys]:
        """The keys of all devices of some local users; a row without keys for who has none, no row for who is none."""
        rows = self._database.rows_in(
            "SELECT u.user_id, d.device_id, d.display_name, k.body FROM users u "
            "LEFT JOIN device_keys k ON k.user_nid = u.user_nid LEFT JOIN devices d ON d.device_nid = k.device_nid "
            "WHERE u.user_id IN ({})",
            user_ids,
        )
        return [DeviceKeys._make(row) for row in rows]

    def version_of(self, user_id: str) -> int | None:
        """A number that grows with each change of a local user's device list; None for who has no account here.

        It is that of the last announcement to other servers; before the first one, that of the newest change.
        """
        version: int | None = self._database.value(
            "SELECT COALESCE((SELECT a.stream_id FROM announced_devices a WHERE a.user_nid = u.user_nid), "
            "MAX(l.position), 0) FROM users u "
            "LEFT JOIN log l ON l.subject = u.user_nid AND l.reference = u.user_nid AND l.kind = ? "
            "WHERE u.user_id = ? GROUP BY u.user_nid",
            (int(Kind.DEVICE_LIST), user_id),
        )
        return version

    def of_user_in(self, transaction: Transaction, user_nid: UserNid) -> dict[DeviceId, tuple[DeviceNid, bytes]]:
        """A user's devices that have keys, with these keys, seen from inside the writer."""
        rows = transaction.rows(
            "SELECT d.device_id, d.device_nid, k.body FROM device_keys k "
            "JOIN devices d ON d.device_nid = k.device_nid WHERE k.user_nid = ?",
            (user_nid,),
        )
        return {device_id: (device_nid, body) for device_id, device_nid, body in rows}

    def find_in(self, transaction: Transaction, device_nid: DeviceNid) -> bytes | None:
        """The keys of one device, seen from inside the writer, or None."""
        body: bytes | None = transaction.value("SELECT body FROM device_keys WHERE device_nid = ?", (device_nid,))
        return body

    def put(self, transaction: Transaction, user_nid: UserNid, device_nid: DeviceNid, body: bytes) -> None:
        """Write the keys of a device."""
        transaction.add(self._put, (device_nid, user_nid, body))
        transaction.log(Kind.DEVICE_LIST, user_nid, user_nid)

    def remove(self, transaction: Transaction, device_nids: Sequence[DeviceNid]) -> None:
        """Drop the keys of devices that go, and what makes one of them dehydrated; the caller tells of it."""
        among = f"WHERE device_nid IN ({marks(len(device_nids))})"
        transaction.run(f"DELETE FROM device_keys {among}", device_nids)
        transaction.run(f"DELETE FROM dehydrated_devices {among}", device_nids)

    def find_dehydrated(self, source: Database | Transaction, user_nid: UserNid) -> tuple[DeviceId, bytes] | None:
        """(device id, the encrypted blob as a JSON object) of a user's dehydrated device, or None."""
        row = source.row(
            "SELECT d.device_id, h.body FROM dehydrated_devices h JOIN devices d ON d.device_nid = h.device_nid "
            "WHERE h.user_nid = ?",
            (user_nid,),
        )
        return None if row is None else (row[0], row[1])

    def put_dehydrated(self, transaction: Transaction, user_nid: UserNid, device_nid: DeviceNid, body: bytes) -> None:
        """Make a device the user's dehydrated one."""
        transaction.add(self._put_dehydrated, (user_nid, device_nid, body))
