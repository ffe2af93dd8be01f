"""Devices: what a user is signed in with, each with its name and when it was last seen.

Removing a device tells the device list's followers; whoever keeps something per device (keys, waiting messages) is
handed to the constructor and cleans up in the same transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import NewType

from core.ids import DeviceId, UserNid
from core.storage.database import Database, Row
from core.storage.log import Kind
from core.storage.sql import marks
from core.storage.tables import BigIntegerField, MatrixStringField, Table
from core.storage.writer import Transaction

DeviceNid = NewType("DeviceNid", int)

MAX_SEEN_TEXT_BYTES = 255
"""Addresses and user agents are cut to this many bytes."""


class DeviceRecord(Table):
    """A device. `device_id` is unique for its user only."""

    device_nid = BigIntegerField(primary_key=True)
    user_nid = BigIntegerField()
    device_id = MatrixStringField(512)
    display_name = MatrixStringField(1024, null=True)
    created_ms = BigIntegerField()
    last_seen_ms = BigIntegerField(null=True)
    last_seen_ip = MatrixStringField(MAX_SEEN_TEXT_BYTES, null=True)
    last_seen_user_agent = MatrixStringField(MAX_SEEN_TEXT_BYTES, null=True)

    class Meta:
        table_name = "devices"
        indexes = ((("user_nid", "device_id"), True),)


@dataclass(frozen=True, slots=True)
class Device:
    """A device and what was last seen of it, up to some minutes ago."""

    device_nid: DeviceNid
    user_nid: UserNid
    device_id: DeviceId
    display_name: str | None
    created_ms: int
    last_seen_ms: int | None = None
    last_seen_ip: str | None = None
    last_seen_user_agent: str | None = None


@dataclass(frozen=True, slots=True)
class Sighting:
    """One request of a device."""

    user_nid: UserNid
    device_id: DeviceId
    seen_ms: int
    ip: str
    user_agent: str


RemovalListener = Callable[[Transaction, UserNid, Sequence[DeviceNid]], None]

_COLUMNS = "device_nid, user_nid, device_id, display_name, created_ms, last_seen_ms, last_seen_ip, last_seen_user_agent"

_AWAKE = "device_nid NOT IN (SELECT device_nid FROM dehydrated_devices)"


class DeviceStore:
    """Reads and writes devices."""

    def __init__(self, database: Database, on_removal: Iterable[RemovalListener] = ()) -> None:
        self._database = database
        self._on_removal = tuple(on_removal)
        self._insert = database.dialect.insert(DeviceRecord)

    def of_user(self, user_nid: UserNid) -> list[Device]:
        """All devices of a user, oldest first."""
        rows = self._database.rows(
            f"SELECT {_COLUMNS} FROM devices WHERE user_nid = ? ORDER BY device_nid", (user_nid,)
        )
        return [_device(row) for row in rows]

    def find(self, user_nid: UserNid, device_id: str) -> Device | None:
        """One device, or None."""
        row = self._database.row(
            f"SELECT {_COLUMNS} FROM devices WHERE user_nid = ? AND device_id = ?", (user_nid, device_id)
        )
        return None if row is None else _device(row)

    def find_nid_in(self, transaction: Transaction, user_nid: UserNid, device_id: str) -> DeviceNid | None:
        """The number of a device seen from inside the writer, or None."""
        nid: DeviceNid | None = transaction.value(
            "SELECT device_nid FROM devices WHERE user_nid = ? AND device_id = ?", (user_nid, device_id)
        )
        return nid

    def nids_in(self, transaction: Transaction, user_nid: UserNid) -> list[DeviceNid]:
        """All devices of a user, the dehydrated one included."""
        return [row[0] for row in transaction.rows("SELECT device_nid FROM devices WHERE user_nid = ?", (user_nid,))]

    def longest_unseen_in(self, transaction: Transaction, user_nid: UserNid, keep: int) -> list[DeviceNid]:
        """The devices beyond the `keep` most recently seen or made ones; usually none, at the cost of a count.

        A dehydrated device, which is never seen, is not among them.
        """
        count = transaction.value("SELECT COUNT(*) FROM devices WHERE user_nid = ?", (user_nid,))
        if count <= keep:
            return []
        rows = transaction.rows(
            f"SELECT device_nid FROM devices WHERE user_nid = ? AND {_AWAKE} "
            "ORDER BY COALESCE(last_seen_ms, created_ms) LIMIT ?",
            (user_nid, count - keep),
        )
        return [row[0] for row in rows]

    def unseen_since(self, before_ms: int, limit: int) -> list[tuple[UserNid, DeviceId]]:
        """Devices that nobody has used since a time, dehydrated ones apart. Cost: reads the table."""
        return self._database.rows(
            f"SELECT user_nid, device_id FROM devices WHERE COALESCE(last_seen_ms, created_ms) < ? AND {_AWAKE} LIMIT ?",
            (before_ms, limit),
        )

    def forget_addresses(self, transaction: Transaction, before_ms: int) -> int:
        """Forget from where, and with what, devices were seen that were last seen before a time; how many."""
        return transaction.run(
            "UPDATE devices SET last_seen_ip = NULL, last_seen_user_agent = NULL "
            "WHERE last_seen_ms < ? AND last_seen_ip IS NOT NULL",
            (before_ms,),
        )

    def add(self, transaction: Transaction, device: Device) -> None:
        """Insert a device; the caller has made sure that there is none of its id."""
        transaction.add(
            self._insert,
            (
                device.device_nid,
                device.user_nid,
                device.device_id,
                device.display_name,
                device.created_ms,
                device.last_seen_ms,
                device.last_seen_ip,
                device.last_seen_user_agent,
            ),
        )

    def rename(self, transaction: Transaction, user_nid: UserNid, device_id: DeviceId, name: str | None) -> bool:
        """Set the display name; False where there is no such device."""
        if self.find_nid_in(transaction, user_nid, device_id) is None:
            return False
        transaction.run(
            "UPDATE devices SET display_name = ? WHERE user_nid = ? AND device_id = ?", (name, user_nid, device_id)
        )
        transaction.log(Kind.DEVICE_LIST, user_nid, user_nid, replaces=True)
        return True

    def remove(self, transaction: Transaction, user_nid: UserNid, device_nids: Collection[DeviceNid]) -> None:
        """Delete devices of one user; their tokens are the caller's business."""
        nids = list(device_nids)
        if not nids:
            return
        for listener in self._on_removal:
            listener(transaction, user_nid, nids)
        transaction.run(f"DELETE FROM devices WHERE device_nid IN ({marks(len(nids))})", nids)
        transaction.log(Kind.DEVICE_LIST, user_nid, user_nid, replaces=True)

    def note_sightings(self, transaction: Transaction, sightings: Iterable[Sighting]) -> None:
        """Write when, from where and with what devices were seen; an older sighting never replaces a newer one."""
        transaction.add_all(
            "UPDATE devices SET last_seen_ms = ?, last_seen_ip = ?, last_seen_user_agent = ? "
            "WHERE user_nid = ? AND device_id = ? AND COALESCE(last_seen_ms, 0) <= ?",
            [(s.seen_ms, _cut(s.ip), _cut(s.user_agent), s.user_nid, s.device_id, s.seen_ms) for s in sightings],
        )


def _cut(text: str) -> str:
    return text.encode("utf-8", "replace")[:MAX_SEEN_TEXT_BYTES].decode("utf-8", "ignore")


def _device(row: Row) -> Device:
    return Device(*row)
