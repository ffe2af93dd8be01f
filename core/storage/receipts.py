"""Read receipts: up to where each user has read each room, publicly or for themselves, in all and thread by thread.

One row per (user, room, type, thread); the newest stands, and it only ever moves forward. Order is that in which this
server told its clients of the events: by position in the log, and what was backfilled, which has none, before that by
history order. Who counts what is unread asks `latest` or `own`; a receipt covers everything up to its `place`.

Spec: Client-Server API, "Receipts".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import IntEnum

from core.ids import EventId, EventNid, RoomNid, UserNid
from core.storage.database import Database, Row
from core.storage.log import Kind
from core.storage.tables import BigIntegerField, MatrixStringField, SmallIntegerField, Table
from core.storage.writer import Transaction, advance

UNTHREADED = ""
"""The thread of a receipt that speaks of the whole room, whatever its threads."""
MAIN = "main"
"""The thread of a receipt that speaks of what is in no thread."""
MOST_THREADS = 500
"""Of so many threads of a room one user's receipts are kept, of each type: those that are furthest on."""


class ReceiptType(IntEnum):
    """Who may know of a receipt; the number it is stored as."""

    PUBLIC = 1
    PRIVATE = 2


class ReceiptRow(Table):
    """One receipt. `event_nid` is 0 where another server speaks of an event that is not here (yet)."""

    receipt_nid = BigIntegerField(primary_key=True)
    user_nid = BigIntegerField()
    room_nid = BigIntegerField()
    receipt_type = SmallIntegerField()
    thread = MatrixStringField(255)
    event_nid = BigIntegerField()
    event_id = MatrixStringField(255)
    event_position = BigIntegerField()
    event_depth = BigIntegerField()
    ts_ms = BigIntegerField()

    class Meta:
        table_name = "receipts"
        indexes = (
            (("user_nid", "room_nid", "receipt_type", "thread"), True),
            (("room_nid", "receipt_type", "receipt_nid"), False),
        )


@dataclass(frozen=True, slots=True)
class Receipt:
    """Up to where one user has read. `thread` is UNTHREADED, MAIN, or the id of a thread's root.

    `event_position` is that of the event's line in the log, 0 for one that was backfilled.
    """

    user_nid: UserNid
    room_nid: RoomNid
    receipt_type: ReceiptType
    thread: str
    event_nid: EventNid
    event_id: EventId
    event_position: int
    event_depth: int
    ts_ms: int

    @property
    def place(self) -> tuple[int, int, int]:
        """Where the event stands among the room's events, to be compared: (position, depth, number)."""
        return (self.event_position, self.event_depth, self.event_nid)


_COLUMNS = (
    "r.user_nid, r.room_nid, r.receipt_type, r.thread, r.event_nid, r.event_id, r.event_position, r.event_depth, "
    "r.ts_ms"
)
_NEWEST = (
    f"SELECT {_COLUMNS} FROM (SELECT x.*, ROW_NUMBER() OVER (PARTITION BY x.room_nid ORDER BY x.event_position DESC, "
    "x.receipt_nid DESC) AS number FROM receipts x WHERE x.room_nid IN ({}) AND x.receipt_type = ?) r "
    "WHERE r.number <= ?"
)


class ReceiptStore:
    """Reads and writes receipts. A move is told as a RECEIPT line of the room or a PRIVATE_RECEIPT line of the user."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._insert = database.dialect.insert(ReceiptRow)

    def latest(self, user_nid: UserNid, room_nid: RoomNid) -> dict[str, Receipt]:
        """By thread, whichever of the user's two receipts is further on. Spec: "Private read receipts"."""
        return _furthest(self._own(user_nid, (room_nid,)))

    def latest_in_rooms(self, user_nid: UserNid, rooms: Collection[RoomNid]) -> Mapping[RoomNid, Mapping[str, Receipt]]:
        """As `latest`, for many rooms; those without any are left out."""
        found: dict[RoomNid, list[Receipt]] = defaultdict(list)
        for receipt in self._own(user_nid, rooms):
            found[receipt.room_nid].append(receipt)
        return {room: _furthest(receipts) for room, receipts in found.items()}

    def own(self, user_nid: UserNid, rooms: Collection[RoomNid] | None = None) -> list[Receipt]:
        """All of a user's receipts, of both types, in some rooms or in all."""
        if rooms is not None:
            return self._own(user_nid, rooms)
        rows = self._database.rows(f"SELECT {_COLUMNS} FROM receipts r WHERE r.user_nid = ?", (user_nid,))
        return [_receipt(row) for row in rows]

    def public(self, rooms: Collection[RoomNid], limit: int) -> list[Receipt]:
        """The public receipts of some rooms: of each room the `limit` that are furthest on."""
        rows = self._database.rows_in(_NEWEST, rooms, after=(int(ReceiptType.PUBLIC), limit))
        return [_receipt(row) for row in rows]

    def changed(self, rooms: Collection[RoomNid], since: int, upto: int) -> list[Receipt]:
        """The public receipts of some rooms that moved in the positions (since, upto], oldest move first."""
        return self._changed(Kind.RECEIPT, rooms, since, upto)

    def changed_private(self, user_nid: UserNid, since: int, upto: int) -> list[Receipt]:
        """The private receipts of a user that moved in the positions (since, upto], oldest move first."""
        return self._changed(Kind.PRIVATE_RECEIPT, (user_nid,), since, upto)

    def by_nids(self, nids: Collection[int]) -> dict[int, Receipt]:
        """Receipts by the number that lines of the log give."""
        rows = self._database.rows_in(
            f"SELECT {_COLUMNS}, r.receipt_nid FROM receipts r WHERE r.receipt_nid IN ({{}})", nids
        )
        return {row[9]: _receipt(row) for row in rows}

    def move(self, transaction: Transaction, receipt: Receipt) -> bool:
        """Write a receipt that is further on than the one it takes the place of; whether it was."""
        row = transaction.row(
            "SELECT receipt_nid, event_position, event_depth, event_nid FROM receipts "
            "WHERE user_nid = ? AND room_nid = ? AND receipt_type = ? AND thread = ?",
            (receipt.user_nid, receipt.room_nid, int(receipt.receipt_type), receipt.thread),
        )
        place = (receipt.event_nid, receipt.event_id, receipt.event_position, receipt.event_depth, receipt.ts_ms)
        if row is None:
            nid = advance(transaction, "receipts", 1)
            key = (receipt.user_nid, receipt.room_nid, int(receipt.receipt_type), receipt.thread)
            transaction.add(self._insert, (nid, *key, *place))
            if receipt.thread not in (UNTHREADED, MAIN):
                self._bound(transaction, receipt)
        elif tuple(row[1:]) >= receipt.place:
            return False
        else:
            nid = row[0]
            transaction.add(
                "UPDATE receipts SET event_nid = ?, event_id = ?, event_position = ?, event_depth = ?, ts_ms = ? "
                "WHERE receipt_nid = ?",
                (*place, nid),
            )
        if receipt.receipt_type is ReceiptType.PUBLIC:
            transaction.log(Kind.RECEIPT, receipt.room_nid, nid)
        else:
            transaction.log(Kind.PRIVATE_RECEIPT, receipt.user_nid, nid)
        return True

    def _bound(self, transaction: Transaction, receipt: Receipt) -> None:
        """Delete a user's receipts in threads of a room beyond MOST_THREADS, with their lines in the log."""
        rows = transaction.rows(
            "SELECT receipt_nid FROM receipts WHERE user_nid = ? AND room_nid = ? AND receipt_type = ? "
            "AND thread NOT IN (?, ?) ORDER BY event_position DESC, event_depth DESC, event_nid DESC LIMIT ? OFFSET ?",
            (
                receipt.user_nid,
                receipt.room_nid,
                int(receipt.receipt_type),
                UNTHREADED,
                MAIN,
                MOST_THREADS,
                MOST_THREADS,
            ),
        )
        for (nid,) in rows:  # one, unless the bound was lowered
            transaction.run("DELETE FROM receipts WHERE receipt_nid = ?", (nid,))
            kinds = (int(Kind.RECEIPT), int(Kind.PRIVATE_RECEIPT))
            transaction.run("DELETE FROM log WHERE reference = ? AND kind IN (?, ?)", (nid, *kinds))

    def _own(self, user_nid: UserNid, rooms: Collection[RoomNid]) -> list[Receipt]:
        sql = f"SELECT {_COLUMNS} FROM receipts r WHERE r.user_nid = ? AND r.room_nid IN ({{}})"
        return [_receipt(row) for row in self._database.rows_in(sql, rooms, before=(user_nid,))]

    def _changed(self, kind: Kind, subjects: Collection[int], since: int, upto: int) -> list[Receipt]:
        rows = self._database.rows_in(
            f"SELECT {_COLUMNS} FROM log l JOIN receipts r ON r.receipt_nid = l.reference WHERE l.subject IN ({{}}) "
            "AND l.kind = ? AND l.position > ? AND l.position <= ? ORDER BY l.position",
            subjects,
            after=(int(kind), since, upto),
        )
        return [_receipt(row) for row in rows]


def _furthest(receipts: Collection[Receipt]) -> dict[str, Receipt]:
    found: dict[str, Receipt] = {}
    for receipt in receipts:
        known = found.get(receipt.thread)
        if known is None or known.place < receipt.place:
            found[receipt.thread] = receipt
    return found


def _receipt(row: Row) -> Receipt:
    return Receipt(row[0], row[1], ReceiptType(row[2]), *row[3:9])
