"""Which events notify, and up to where users have read other than by receipts: what unread counts are made of.

See docs/decisions/0060. Rows are in order of the log's positions. `main` is the thread of what is in none.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from peewee import CompositeKey

from core.ids import EventNid, RoomNid, UserNid
from core.storage.database import Database
from core.storage.log import Kind
from core.storage.sql import marks
from core.storage.tables import BigIntegerField, MatrixStringField, SmallIntegerField, Table
from core.storage.transaction import Transaction

ROOM_ROWS = 10_000
"""So many events that notify are kept of a room."""
USER_ROWS = 5_000
"""So many rows of their own are kept of a user."""
OWN_COUNTING = "*"
"""In place of a thread: from there on the user counts by their own rows in the room."""

Sums = tuple[int, int]
"""(notifications, highlights among them)."""


class NotifiedEvent(Table):
    """An event that notifies everybody on the default rules, its sender apart."""

    room_nid = BigIntegerField()
    thread = MatrixStringField(255)
    position = BigIntegerField()
    event_nid = BigIntegerField()
    sender_nid = BigIntegerField()
    highlight = SmallIntegerField()

    class Meta:
        table_name = "notified_events"
        primary_key = CompositeKey("room_nid", "thread", "position")
        indexes = ((("event_nid",), False), (("room_nid", "position"), False))
        without_rowid = True


class UserNotification(Table):
    """What an event counts for one user: as a difference to its common outcome, or in itself for who counts on their own."""

    user_nid = BigIntegerField()
    room_nid = BigIntegerField()
    position = BigIntegerField()
    thread = MatrixStringField(255)
    event_nid = BigIntegerField()
    notify = SmallIntegerField()
    highlight = SmallIntegerField()

    class Meta:
        table_name = "user_notifications"
        primary_key = CompositeKey("user_nid", "room_nid", "position")
        indexes = ((("event_nid",), False), (("user_nid", "position"), False))
        without_rowid = True


class UnreadMark(Table):
    """Up to where a user has read a thread by sending to it, or ('' for the thread) the room by joining it."""

    user_nid = BigIntegerField()
    room_nid = BigIntegerField()
    thread = MatrixStringField(255)
    position = BigIntegerField()

    class Meta:
        table_name = "unread_marks"
        primary_key = CompositeKey("user_nid", "room_nid", "thread")
        indexes = ((("room_nid", "thread"), False),)
        without_rowid = True


class CountStore:
    """Reads and writes these rows. Upper bounds are inclusive, lower ones exclusive."""

    def __init__(self, database: Database) -> None:
        self._database = database
        dialect = database.dialect
        self._put_event = dialect.upsert(NotifiedEvent)
        self._put_user = dialect.upsert(UserNotification)
        self._put_mark = dialect.upsert(UnreadMark)

    def main_sums(
        self, user: UserNid, ranges: Mapping[RoomNid, tuple[int, int]], without: Sequence[EventNid] = ()
    ) -> dict[RoomNid, Sums]:
        """What the main timeline of each room counts in common, in positions (since, upto].

        Cost: a range of the primary key for each room.
        """
        sql = (
            "SELECT room_nid, COUNT(*), SUM(highlight) FROM notified_events "
            f"WHERE room_nid = ? AND thread = 'main' AND position > ? AND position <= ? AND sender_nid <> ?{_not(without)} "
            "GROUP BY room_nid"
        )
        rows = self._database.union([(sql, (room, *within, user, *without)) for room, within in ranges.items()])
        return dict.fromkeys(ranges, (0, 0)) | {room: (int(count), int(high)) for room, count, high in rows}

    def in_threads(
        self, user: UserNid, ranges: Mapping[RoomNid, tuple[int, int]], without: Sequence[EventNid] = ()
    ) -> list[tuple[RoomNid, str, int, int]]:
        """(room, thread, position, highlight) of what counts in common in threads, in positions (since, upto]."""
        sql = (
            "SELECT room_nid, thread, position, highlight FROM notified_events "
            f"WHERE room_nid = ? AND thread < 'main' AND position > ? AND position <= ? AND sender_nid <> ?{_not(without)}"
        )
        return self._database.union([(sql, (room, *within, user, *without)) for room, within in ranges.items()])

    def of_user(
        self, user: UserNid, rooms: Collection[RoomNid], upto: int, without: Sequence[EventNid] = ()
    ) -> list[tuple[RoomNid, str, int, int, int]]:
        """(room, thread, position, notify, highlight) of a user's own rows in some rooms."""
        return self._database.rows_in(
            "SELECT room_nid, thread, position, notify, highlight FROM user_notifications "
            f"WHERE user_nid = ? AND room_nid IN ({{}}) AND position <= ?{_not(without)}",
            rooms,
            before=(user,),
            after=(upto, *without),
        )

    def marks_of(self, user: UserNid, rooms: Collection[RoomNid]) -> list[tuple[RoomNid, str, int]]:
        """(room, thread, position) of a user's marks in some rooms."""
        return self._database.rows_in(
            "SELECT room_nid, thread, position FROM unread_marks WHERE user_nid = ? AND room_nid IN ({})",
            rooms,
            before=(user,),
        )

    def own_counting(self, room: RoomNid) -> list[UserNid]:
        """Who counts by rows of their own in a room."""
        rows = self._database.rows(
            "SELECT user_nid FROM unread_marks WHERE room_nid = ? AND thread = ?", (room, OWN_COUNTING)
        )
        return [UserNid(row[0]) for row in rows]

    def read_in(self, user: UserNid, since: int, upto: int) -> list[RoomNid]:
        """The rooms in which a receipt of the user moved."""
        rows = self._database.rows(
            "SELECT DISTINCT r.room_nid FROM receipts r JOIN log l ON l.reference = r.receipt_nid AND l.kind IN (?, ?) "
            "WHERE r.user_nid = ? AND l.position > ? AND l.position <= ?",
            (int(Kind.RECEIPT), int(Kind.PRIVATE_RECEIPT), user, since, upto),
        )
        return [RoomNid(row[0]) for row in rows]

    def ignored_lists(self) -> list[tuple[UserNid, bytes]]:
        """(user, content) of every list of ignored users. Cost: reads all account data, once a start."""
        return self._database.rows(
            "SELECT user_nid, content FROM account_data WHERE type = 'm.ignored_user_list' AND room_id = ''"
        )

    def add_events(
        self, transaction: Transaction, rows: Sequence[tuple[RoomNid, str, int, EventNid, int, int]]
    ) -> None:
        """Write (room, thread, position, event, sender, highlight) of events that notify in common."""
        transaction.add_all(self._put_event, rows)

    def add_for_users(
        self, transaction: Transaction, rows: Sequence[tuple[UserNid, RoomNid, int, str, EventNid, int, int]]
    ) -> None:
        """Write (user, room, position, thread, event, notify, highlight) of users."""
        transaction.add_all(self._put_user, rows)

    def put_marks(self, transaction: Transaction, rows: Sequence[tuple[UserNid, RoomNid, str, int]]) -> None:
        """Write (user, room, thread, position) of marks, in place of what was there."""
        transaction.add_all(self._put_mark, rows)

    def mark_unmarked(self, transaction: Transaction, position: int) -> None:
        """Give every member of a room who has no mark of joining it one at `position`."""
        transaction.run(
            "INSERT INTO unread_marks (user_nid, room_nid, thread, position) SELECT m.user_nid, m.room_nid, '', ? "
            "FROM memberships m WHERE m.membership = 1 AND EXISTS (SELECT 1 FROM users u WHERE u.user_nid = m.user_nid) "
            "AND NOT EXISTS (SELECT 1 FROM unread_marks k WHERE k.user_nid = m.user_nid AND k.room_nid = m.room_nid "
            "AND k.thread = '')",
            (position,),
        )

    def remove_events(self, transaction: Transaction, events: Collection[EventNid]) -> None:
        """Redacted events count for nobody."""
        listed = list(events)
        for table in ("notified_events", "user_notifications"):
            transaction.run(f"DELETE FROM {table} WHERE event_nid IN ({marks(len(listed))})", listed)

    def trim_room(self, transaction: Transaction, room: RoomNid) -> None:
        """Drop a room's oldest rows beyond ROOM_ROWS."""
        last = transaction.value(
            "SELECT position FROM notified_events WHERE room_nid = ? ORDER BY position DESC LIMIT 1 OFFSET ?",
            (room, ROOM_ROWS),
        )
        if last is not None:
            transaction.run("DELETE FROM notified_events WHERE room_nid = ? AND position <= ?", (room, last))

    def trim_user(self, transaction: Transaction, user: UserNid) -> None:
        """Drop a user's oldest rows beyond USER_ROWS."""
        last = transaction.value(
            "SELECT position FROM user_notifications WHERE user_nid = ? ORDER BY position DESC LIMIT 1 OFFSET ?",
            (user, USER_ROWS),
        )
        if last is not None:
            transaction.run("DELETE FROM user_notifications WHERE user_nid = ? AND position <= ?", (user, last))


def _not(events: Sequence[EventNid]) -> str:
    """A condition that leaves some events out."""
    return f" AND event_nid NOT IN ({marks(len(events))})" if events else ""
