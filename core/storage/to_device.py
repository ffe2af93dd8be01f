"""Messages that wait for a device, in the order in which they came, until the device says it has them.

Messages are numbered; a TO_DEVICE line of the log speaks of the message it points at and of all earlier ones of the
same device that no earlier line speaks of. So "arrived by position P" is a number, a sync token acknowledges what it
was given out with, and a queue too long for one answer is put off by writing one line.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from hashlib import sha256
from typing import NamedTuple

from core.ids import DeviceId, UserId, UserNid
from core.storage.database import IDS_PER_QUERY, Database
from core.storage.devices import DeviceNid
from core.storage.log import Kind
from core.storage.sql import marks
from core.storage.tables import BigIntegerField, BytesField, HashField, Table
from core.storage.writer import Transaction, advance


class ToDeviceMessage(Table):
    """A message that waits. `body` is the event as the client gets it."""

    message_nid = BigIntegerField(primary_key=True)
    user_nid = BigIntegerField()
    device_nid = BigIntegerField()
    body = BytesField()

    class Meta:
        table_name = "to_device_messages"
        indexes = ((("device_nid",), False),)  # which every engine orders by the primary key


class ToDeviceRequest(Table):
    """A request to send that was carried out, by the hash of who made it and under what id."""

    request = HashField(primary_key=True)
    created_ms = BigIntegerField(index=True)

    class Meta:
        table_name = "to_device_requests"


class Recipient(NamedTuple):
    """A device of this server that messages can be sent to."""

    user_id: UserId
    user_nid: UserNid
    device_id: DeviceId
    device_nid: DeviceNid


class WaitingMessage(NamedTuple):
    """A message that waits. `position` is that of the line that points at it, None where a later one speaks of it."""

    message_nid: int
    body: bytes
    position: int | None


class ToDeviceStore:
    """Reads and writes waiting messages. Transactions are the caller's."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._insert = database.dialect.insert(ToDeviceMessage)
        self._insert_request = database.dialect.insert(ToDeviceRequest)

    def recipients_in(self, transaction: Transaction, user_ids: Collection[str]) -> list[Recipient]:
        """All devices of some local users, seen from inside the writer."""
        found: list[Recipient] = []
        listed = list(user_ids)
        for start in range(0, len(listed), IDS_PER_QUERY):
            chunk = listed[start : start + IDS_PER_QUERY]
            rows = transaction.rows(
                "SELECT u.user_id, u.user_nid, d.device_id, d.device_nid FROM users u "
                f"JOIN devices d ON d.user_nid = u.user_nid WHERE u.user_id IN ({marks(len(chunk))})",
                chunk,
            )
            found += [Recipient._make(row) for row in rows]
        return found

    def add(self, transaction: Transaction, messages: Sequence[tuple[Recipient, bytes]]) -> None:
        """Leave a message for each device, and tell it."""
        if not messages:
            return
        first = advance(transaction, "to_device", len(messages)) - len(messages) + 1
        rows = [(nid, to.user_nid, to.device_nid, body) for nid, (to, body) in enumerate(messages, first)]
        transaction.add_all(self._insert, rows)
        for nid, user_nid, _, _ in rows:
            transaction.log(Kind.TO_DEVICE, user_nid, nid)

    def is_done(self, transaction: Transaction, request: bytes) -> bool:
        """Whether the request was carried out before."""
        return transaction.row("SELECT 1 FROM to_device_requests WHERE request = ?", (request,)) is not None

    def note_done(self, transaction: Transaction, request: bytes, now_ms: int) -> None:
        """Remember the request, in the transaction that carries it out."""
        transaction.add(self._insert_request, (request, now_ms))

    def forget_requests(self, transaction: Transaction, before_ms: int) -> int:
        """Forget the requests made before a time; how many there were."""
        return transaction.run("DELETE FROM to_device_requests WHERE created_ms < ?", (before_ms,))

    def waiting(self, device_nid: DeviceNid, after_nid: int, limit: int) -> list[WaitingMessage]:
        """The first messages numbered above `after_nid`, in order."""
        rows = self._database.rows(
            "SELECT m.message_nid, m.body, l.position FROM to_device_messages m "
            "LEFT JOIN log l ON l.reference = m.message_nid AND l.kind = ? "
            "WHERE m.device_nid = ? AND m.message_nid > ? ORDER BY m.message_nid LIMIT ?",
            (int(Kind.TO_DEVICE), device_nid, after_nid, limit),
        )
        return [WaitingMessage._make(row) for row in rows]

    def last_told(self, device_nid: DeviceNid, upto: int) -> int:
        """The number of the last message that had arrived by a position; 0 where none still waits."""
        found = self._database.value(
            "SELECT MAX(m.message_nid) FROM to_device_messages m "
            "JOIN log l ON l.reference = m.message_nid AND l.kind = ? WHERE m.device_nid = ? AND l.position <= ?",
            (int(Kind.TO_DEVICE), device_nid, upto),
        )
        return int(found or 0)

    def put_off(self, transaction: Transaction, user_nid: UserNid, device_nid: DeviceNid, after_nid: int) -> None:
        """Let everything numbered above `after_nid` count as arriving now, in one line; the order stays.

        `after_nid` itself and what is before it keep the position they have. No change where it is gone: then another
        request of the device has acknowledged it, and whoever asks this was answered too late.
        """
        row = transaction.row(
            "SELECT m.message_nid, l.position FROM to_device_messages m "
            "JOIN log l ON l.reference = m.message_nid AND l.kind = ? "
            "WHERE m.device_nid = ? AND m.message_nid >= ? ORDER BY m.message_nid LIMIT 1",
            (int(Kind.TO_DEVICE), device_nid, after_nid),
        )
        exists = transaction.row("SELECT 1 FROM to_device_messages WHERE message_nid = ?", (after_nid,))
        last = transaction.value("SELECT MAX(message_nid) FROM to_device_messages WHERE device_nid = ?", (device_nid,))
        if row is None or exists is None or last == after_nid:
            return
        told_nid, position = row
        if told_nid != after_nid:
            transaction.run("UPDATE log SET reference = ? WHERE position = ?", (after_nid, position))
        _drop_lines(transaction, "device_nid = ? AND message_nid > ?", (device_nid, after_nid))
        transaction.log(Kind.TO_DEVICE, user_nid, last)

    def drop(self, transaction: Transaction, device_nid: DeviceNid, upto_nid: int) -> int:
        """Delete a device's messages numbered up to `upto_nid`, with the lines that point at them; how many."""
        _drop_lines(transaction, "device_nid = ? AND message_nid <= ?", (device_nid, upto_nid))
        return transaction.run(
            "DELETE FROM to_device_messages WHERE device_nid = ? AND message_nid <= ?", (device_nid, upto_nid)
        )

    def overlong(self, limit: int) -> list[tuple[DeviceNid, int]]:
        """(device, how many wait) where more than `limit` do. Cost: reads the index of all messages."""
        return [
            (row[0], row[1])
            for row in self._database.rows(
                "SELECT device_nid, COUNT(*) FROM to_device_messages GROUP BY device_nid HAVING COUNT(*) > ?", (limit,)
            )
        ]

    def nid_at(self, transaction: Transaction, device_nid: DeviceNid, index: int) -> int:
        """The number of a device's message at an index, the oldest being 0; 0 where there are not so many."""
        found = transaction.value(
            "SELECT message_nid FROM to_device_messages WHERE device_nid = ? ORDER BY message_nid LIMIT 1 OFFSET ?",
            (device_nid, index),
        )
        return int(found or 0)

    def remove(self, transaction: Transaction, device_nids: Sequence[DeviceNid]) -> None:
        """Drop what waits for devices that go."""
        among = f"device_nid IN ({marks(len(device_nids))})"
        _drop_lines(transaction, among, device_nids)
        transaction.run(f"DELETE FROM to_device_messages WHERE {among}", device_nids)


def request_hash(*parts: str) -> bytes:
    """The key under which a request is remembered: who made it, where, and its id."""
    return sha256("\0".join(parts).encode("utf-8", "surrogatepass")).digest()


def _drop_lines(transaction: Transaction, where: str, params: Sequence[int]) -> None:
    """Drop the lines that point at some messages, by number: for a subquery MariaDB would read the whole log."""
    nids = [row[0] for row in transaction.rows(f"SELECT message_nid FROM to_device_messages WHERE {where}", params)]
    for start in range(0, len(nids), IDS_PER_QUERY):
        chunk = nids[start : start + IDS_PER_QUERY]
        transaction.run(
            f"DELETE FROM log WHERE reference IN ({marks(len(chunk))}) AND kind = ?", (*chunk, int(Kind.TO_DEVICE))
        )
