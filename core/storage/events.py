"""Events as stored: one row each, canonical PDU bytes included.

The row says where the event stands (local depth, the states before and after it) and what became of it (flags). Rows
carry no position; the log points at them. The store moves rows and knows no rules.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import IntEnum

from core.ids import EventId, EventNid, RoomNid
from core.storage.database import IDS_PER_QUERY, Database, Row
from core.storage.numbers import Numbers
from core.storage.sql import marks
from core.storage.tables import BigIntegerField, BytesField, IntegerField, MatrixStringField, SmallIntegerField, Table
from core.storage.writer import Transaction, Writer

NID_BLOCK = 20_000
"""How many event numbers are reserved at a time; those unused at a stop are given up."""
NID_MARGIN = 5_000
"""A new block is reserved when fewer are left."""


class Flag(IntEnum):
    """What became of an event."""

    OUTLIER = 1
    """Known without its place in the graph: it has no depth and no state before it."""
    REJECTED = 2
    """It failed the auth rules."""
    SOFT_FAILED = 4
    """It passed at its place, but not against the current state when it arrived."""
    REDACTED = 8
    """Its stored form is the redacted one."""
    BACKFILLED = 16
    """It came as history and was never live."""
    GAP = 32
    """Some of its prev events were unknown when it got its place."""
    STATELESS = 64
    """It has its place, but the state before it is not known."""
    PURGED = 128
    """It was purged from the history and kept as an outlier for the state or an auth chain."""


HIDDEN = Flag.OUTLIER | Flag.REJECTED | Flag.SOFT_FAILED
"""Events with any of these are kept from timelines."""


class EventRow(Table):
    """One event. `line` and `line_index` refer to the state before it, `after_line` and `after_index` to the state
    after it where that has been written down and is another. `main_before` and `main_index` are the indexes of the
    room's main line before and after the event got its place, `top_depth` is the room's largest depth then.
    `redacted_by` is the redaction's number, or 0."""

    event_nid = BigIntegerField(primary_key=True)
    event_id = MatrixStringField(255, unique=True)
    room_nid = BigIntegerField()
    local_depth = BigIntegerField()
    flags = SmallIntegerField()
    type_nid = BigIntegerField()
    state_key_nid = BigIntegerField(null=True)
    sender_nid = BigIntegerField()
    origin_server_ts = BigIntegerField()
    line = BigIntegerField()
    line_index = BigIntegerField()
    after_line = BigIntegerField()
    after_index = BigIntegerField()
    main_index = BigIntegerField()
    main_before = BigIntegerField()
    top_depth = BigIntegerField()
    redacted_by = BigIntegerField()
    pdu = BytesField()

    class Meta:
        table_name = "events"
        indexes = (
            (("room_nid", "local_depth", "event_nid"), False),
            (("room_nid", "origin_server_ts", "event_nid"), False),
        )


class AuthEdges(Table):
    """The auth events of a state event, packed, and its auth level: one more than the largest of theirs."""

    event_nid = BigIntegerField(primary_key=True)
    auth_level = IntegerField()
    auth_nids = BytesField()

    class Meta:
        table_name = "auth_edges"


COLUMNS = (
    "event_nid, event_id, room_nid, local_depth, flags, type_nid, state_key_nid, sender_nid, origin_server_ts, line, "
    "line_index, after_line, after_index, main_index, main_before, top_depth, redacted_by, pdu"
)
"""What the reading methods return, in order."""


class EventStore:
    """Rows of events. Methods that read take where from: the database, or the transaction to see its own writes."""

    def __init__(self, database: Database, writer: Writer) -> None:
        self._insert = database.dialect.insert(EventRow)
        self._insert_auth = database.dialect.upsert(AuthEdges)
        self._numbers = Numbers(writer, "events", NID_BLOCK, NID_MARGIN)

    def reserve_nids(self, count: int = 0) -> None:
        """Make sure that `take_nid` has `count` numbers, and some more, to give. Call outside any job; it may wait."""
        self._numbers.reserve(count)

    def take_nid(self) -> EventNid:
        """A number for a new event, state line or delta. Raises NumbersExhausted."""
        return EventNid(self._numbers.take())

    def by_ids(self, source: Database | Transaction, event_ids: Collection[EventId]) -> list[Row]:
        """Rows by event id; those unknown are left out."""
        return rows_in(source, f"SELECT {COLUMNS} FROM events WHERE event_id IN ({{}})", event_ids)

    def by_nids(self, source: Database | Transaction, nids: Collection[EventNid]) -> list[Row]:
        """Rows by number; those unknown are left out."""
        return rows_in(source, f"SELECT {COLUMNS} FROM events WHERE event_nid IN ({{}})", nids)

    def nids(self, source: Database | Transaction, event_ids: Collection[EventId]) -> dict[EventId, EventNid]:
        """The number of each event that is known."""
        return dict(rows_in(source, "SELECT event_id, event_nid FROM events WHERE event_id IN ({})", event_ids))

    def auth_edges(self, source: Database | Transaction, nids: Collection[EventNid]) -> list[Row]:
        """(event nid, auth level, packed auth nids) of state events."""
        return rows_in(source, "SELECT event_nid, auth_level, auth_nids FROM auth_edges WHERE event_nid IN ({})", nids)

    def add(self, transaction: Transaction, row: Row) -> None:
        """Write a new event: a value for each of COLUMNS."""
        transaction.add(self._insert, row)

    def add_auth_edges(self, transaction: Transaction, nid: EventNid, level: int, packed: bytes) -> None:
        """Write, or write again, a state event's auth edges."""
        transaction.add(self._insert_auth, (nid, level, packed))

    def give_place(self, transaction: Transaction, nid: EventNid, place: Row) -> None:
        """Turn an outlier into an event with a place.

        `place` is (local depth, flags, line, line index, after line, after index, main index, main before, top depth).
        """
        transaction.run(
            "UPDATE events SET local_depth = ?, flags = ?, line = ?, line_index = ?, after_line = ?, after_index = ?, "
            "main_index = ?, main_before = ?, top_depth = ? WHERE event_nid = ?",
            (*place, nid),
        )

    def set_after(self, transaction: Transaction, nid: EventNid, line: int, index: int) -> None:
        """Write down which reference the state after an event has."""
        transaction.run("UPDATE events SET after_line = ?, after_index = ? WHERE event_nid = ?", (line, index, nid))

    def thin(self, transaction: Transaction, nid: EventNid, pdu: bytes, flags: int, redaction: EventNid | None) -> None:
        """Replace the stored bytes by the redacted form."""
        transaction.run(
            "UPDATE events SET pdu = ?, flags = ?, redacted_by = ? WHERE event_nid = ?",
            (pdu, flags, redaction or 0, nid),
        )

    def lowest_depth(self, source: Database | Transaction, room: RoomNid) -> int:
        """The smallest local depth in a room, outliers apart; 0 in an empty one."""
        found = source.value("SELECT MIN(local_depth) FROM events WHERE room_nid = ? AND (flags & 1) = 0", (room,))
        return int(found or 0)

    def page(
        self, source: Database | Transaction, room: RoomNid, depth: int, nid: int, backwards: bool, limit: int
    ) -> list[tuple[EventNid, int, int]]:
        """(nid, local depth, flags) of visible events before or after a place in history order, nearest first."""
        sign, order = ("<", "DESC") if backwards else (">", "ASC")
        rows = source.rows(
            f"SELECT event_nid, local_depth, flags FROM events WHERE room_nid = ? AND local_depth {sign}= ? "
            f"AND (local_depth {sign} ? OR event_nid {sign} ?) AND (flags & {int(HIDDEN)}) = 0 "
            f"ORDER BY local_depth {order}, event_nid {order} LIMIT ?",
            (room, depth, depth, nid, limit),
        )
        return [(EventNid(one), at, flags) for one, at, flags in rows]


def rows_in(source: Database | Transaction, sql: str, ids: Collection[object]) -> list[Row]:
    """Rows of a SELECT whose `{}` stands for `ids`, from the database or from inside a transaction."""
    if isinstance(source, Database):
        return source.rows_in(sql, ids)
    listed, found = list(ids), []
    for start in range(0, len(listed), IDS_PER_QUERY):
        chunk = listed[start : start + IDS_PER_QUERY]
        found += source.rows(sql.format(marks(len(chunk))), chunk)
    return found
