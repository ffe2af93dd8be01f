"""Rooms that every local user who was ever in them has left and forgotten, and since when they have been seen like that."""

from __future__ import annotations

from core.ids import EventNid, RoomNid
from core.storage.database import Database
from core.storage.memberships import PRESENT
from core.storage.tables import BigIntegerField, Table
from core.storage.transaction import Transaction


class AbandonedRoomRow(Table):
    """Such a room. `purged_ms` is 0 as long as its history is there."""

    room_nid = BigIntegerField(primary_key=True)
    since_ms = BigIntegerField()
    purged_ms = BigIntegerField()

    class Meta:
        table_name = "abandoned_rooms"


class AbandonedRoomStore:
    """Reads and writes them. Transactions are the caller's."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._insert = database.dialect.insert(AbandonedRoomRow)

    def now(self) -> list[RoomNid]:
        """The rooms that are abandoned. Cost: reads the memberships of all local users."""
        rows = self._database.rows(
            "SELECT m.room_nid FROM memberships m JOIN users u ON u.user_nid = m.user_nid "
            "LEFT JOIN forgotten_rooms f ON f.user_nid = m.user_nid AND f.room_nid = m.room_nid "
            "AND f.event_nid = m.event_nid GROUP BY m.room_nid "
            f"HAVING SUM(CASE WHEN f.event_nid IS NULL OR m.membership IN ({PRESENT}) THEN 1 ELSE 0 END) = 0"
        )
        return [RoomNid(row[0]) for row in rows]

    def noted(self) -> dict[RoomNid, tuple[int, int]]:
        """(since when, when purged or 0) of those that were noted."""
        rows = self._database.rows("SELECT room_nid, since_ms, purged_ms FROM abandoned_rooms")
        return {RoomNid(room): (since, purged) for room, since, purged in rows}

    def note(self, transaction: Transaction, room: RoomNid, now_ms: int) -> None:
        """A room is abandoned since now."""
        transaction.add(self._insert, (room, now_ms, 0))

    def purged(self, transaction: Transaction, room: RoomNid, now_ms: int) -> None:
        """A room's history is gone."""
        transaction.run("UPDATE abandoned_rooms SET purged_ms = ? WHERE room_nid = ?", (now_ms, room))

    def drop(self, transaction: Transaction, room: RoomNid) -> None:
        """Somebody has come back."""
        transaction.run("DELETE FROM abandoned_rooms WHERE room_nid = ?", (room,))

    def last_event(self, room: RoomNid) -> EventNid | None:
        """The newest event of a room's history."""
        found: EventNid | None = self._database.value(
            "SELECT event_nid FROM events WHERE room_nid = ? AND (flags & 1) = 0 "
            "ORDER BY local_depth DESC, event_nid DESC LIMIT 1",
            (room,),
        )
        return found
