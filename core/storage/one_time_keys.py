"""One-time keys and fallback keys.

A one-time key is given out by deleting its row, under a lock of its device's row, so that it is given out once whatever
the number of workers: MariaDB and MySQL have no DELETE that returns what it deleted. Keys are numbered as they arrive
and given out in that order.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from peewee import CompositeKey

from core.ids import UserNid
from core.storage.database import Database
from core.storage.devices import DeviceNid
from core.storage.log import Kind
from core.storage.sql import marks
from core.storage.tables import BigIntegerField, BytesField, MatrixStringField, SmallIntegerField, Table
from core.storage.writer import Transaction, advance

MAX_ALGORITHM_BYTES = 64
MAX_KEY_ID_BYTES = 255


class OneTimeKeyRecord(Table):
    """A key that nobody has claimed yet. `key_nid` grows in the order of upload."""

    key_nid = BigIntegerField(primary_key=True)
    device_nid = BigIntegerField()
    algorithm = MatrixStringField(MAX_ALGORITHM_BYTES)
    key_id = MatrixStringField(MAX_KEY_ID_BYTES)
    body = BytesField()

    class Meta:
        table_name = "one_time_keys"
        indexes = ((("device_nid", "algorithm", "key_nid"), False),)


class FallbackKeyRecord(Table):
    """The key that is given out when no one-time key of its algorithm is left; it stays."""

    device_nid = BigIntegerField()
    algorithm = MatrixStringField(MAX_ALGORITHM_BYTES)
    key_id = MatrixStringField(MAX_KEY_ID_BYTES)
    body = BytesField()
    is_used = SmallIntegerField(default=0)

    class Meta:
        table_name = "fallback_keys"
        primary_key = CompositeKey("device_nid", "algorithm")
        without_rowid = True


class UploadedKey(NamedTuple):
    """One key as uploaded: `body` is a JSON value, a string or an object."""

    algorithm: str
    key_id: str
    body: bytes


class OneTimeKeyStore:
    """Reads and writes both sorts. Each change is told as a ONE_TIME_KEYS line of the device."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._insert = database.dialect.insert(OneTimeKeyRecord)
        self._put_fallback = database.dialect.upsert(FallbackKeyRecord)

    def counts(self, device_nid: DeviceNid) -> dict[str, int]:
        """How many unclaimed keys a device has, by algorithm."""
        return dict(
            self._database.rows(
                "SELECT algorithm, COUNT(*) FROM one_time_keys WHERE device_nid = ? GROUP BY algorithm", (device_nid,)
            )
        )

    def unused_fallback_algorithms(self, device_nid: DeviceNid) -> list[str]:
        """The algorithms of which a device has a fallback key that was not given out yet."""
        rows = self._database.rows(
            "SELECT algorithm FROM fallback_keys WHERE device_nid = ? AND is_used = 0 ORDER BY algorithm", (device_nid,)
        )
        return [row[0] for row in rows]

    def lock(self, transaction: Transaction, device_nids: Collection[DeviceNid]) -> None:
        """Keep other workers from giving out or adding keys of these devices until the commit."""
        if transaction.dialect.is_mysql and device_nids:  # SQLite has one writer, which holds everything
            nids = sorted(device_nids)
            transaction.rows(
                f"SELECT device_nid FROM devices WHERE device_nid IN ({marks(len(nids))}) "
                "ORDER BY device_nid FOR UPDATE",
                nids,
            )

    def of_device_in(self, transaction: Transaction, device_nid: DeviceNid) -> list[UploadedKey]:
        """A device's unclaimed one-time keys."""
        rows = transaction.rows("SELECT algorithm, key_id, body FROM one_time_keys WHERE device_nid = ?", (device_nid,))
        return [UploadedKey._make(row) for row in rows]

    def fallbacks_in(self, transaction: Transaction, device_nid: DeviceNid) -> dict[str, UploadedKey]:
        """A device's fallback keys by algorithm."""
        rows = transaction.rows("SELECT algorithm, key_id, body FROM fallback_keys WHERE device_nid = ?", (device_nid,))
        return {row[0]: UploadedKey(*row) for row in rows}

    def add(self, transaction: Transaction, device_nid: DeviceNid, keys: Sequence[UploadedKey]) -> None:
        """Add one-time keys that the device does not have yet."""
        if keys:
            first = advance(transaction, "one_time_keys", len(keys)) - len(keys) + 1
            transaction.add_all(
                self._insert,
                [(nid, device_nid, key.algorithm, key.key_id, key.body) for nid, key in enumerate(keys, first)],
            )

    def put_fallbacks(self, transaction: Transaction, device_nid: DeviceNid, keys: Iterable[UploadedKey]) -> None:
        """Replace the device's fallback keys of these algorithms by unused ones."""
        transaction.add_all(self._put_fallback, [(device_nid, key.algorithm, key.key_id, key.body, 0) for key in keys])

    def tell(self, transaction: Transaction, user_nid: UserNid, device_nid: DeviceNid) -> None:
        """Let the device know that its counts changed."""
        transaction.log(Kind.ONE_TIME_KEYS, user_nid, device_nid)

    def take(
        self, transaction: Transaction, algorithm: str, device_nids: Collection[DeviceNid]
    ) -> dict[DeviceNid, UploadedKey]:
        """Take the oldest one-time key of each device that has one; the caller has locked the devices and tells."""
        if not device_nids:
            return {}
        devices = list(device_nids)
        rows = transaction.rows(
            "SELECT k.key_nid, k.device_nid, k.key_id, k.body FROM devices d JOIN one_time_keys k ON k.key_nid = "
            "(SELECT MIN(o.key_nid) FROM one_time_keys o WHERE o.device_nid = d.device_nid AND o.algorithm = ?) "
            f"WHERE d.device_nid IN ({marks(len(devices))})",
            (algorithm, *devices),
        )
        if not rows:
            return {}
        nids = [row[0] for row in rows]
        deleted = transaction.run(f"DELETE FROM one_time_keys WHERE key_nid IN ({marks(len(nids))})", nids)
        if deleted != len(nids):
            raise RuntimeError(f"of {len(nids)} one-time keys only {deleted} were still there, under our lock")
        return {row[1]: UploadedKey(algorithm, row[2], row[3]) for row in rows}

    def take_fallbacks(
        self, transaction: Transaction, algorithm: str, device_nids: Collection[DeviceNid]
    ) -> tuple[dict[DeviceNid, UploadedKey], list[DeviceNid]]:
        """The fallback key of each device that has one, and the devices whose key was unused until now."""
        if not device_nids:
            return {}, []
        devices = list(device_nids)
        among = f"WHERE device_nid IN ({marks(len(devices))}) AND algorithm = ?"
        rows = transaction.rows(
            f"SELECT device_nid, key_id, body, is_used FROM fallback_keys {among}", (*devices, algorithm)
        )
        fresh = [row[0] for row in rows if not row[3]]
        if fresh:
            transaction.run(f"UPDATE fallback_keys SET is_used = 1 {among}", (*devices, algorithm))
        return {row[0]: UploadedKey(algorithm, row[1], row[2]) for row in rows}, fresh

    def remove(self, transaction: Transaction, device_nids: Sequence[DeviceNid]) -> None:
        """Drop all keys of devices that go, or whose identity changed."""
        among = f"WHERE device_nid IN ({marks(len(device_nids))})"
        transaction.run(f"DELETE FROM one_time_keys {among}", device_nids)
        transaction.run(f"DELETE FROM fallback_keys {among}", device_nids)
