"""The events of each room that nothing follows yet."""

from __future__ import annotations

from collections.abc import Collection

from peewee import CompositeKey

from core.ids import EventNid, RoomNid
from core.storage.database import Database
from core.storage.events import rows_in
from core.storage.tables import BigIntegerField, Table
from core.storage.writer import Transaction


class ForwardExtremity(Table):
    """One event that nothing follows."""

    room_nid = BigIntegerField()
    event_nid = BigIntegerField()

    class Meta:
        table_name = "forward_extremities"
        primary_key = CompositeKey("room_nid", "event_nid")
        without_rowid = True


class ExtremityStore:
    """Forward extremities."""

    def __init__(self, database: Database) -> None:
        self._add = database.dialect.insert_new(ForwardExtremity)

    def of(self, source: Database | Transaction, rooms: Collection[RoomNid]) -> dict[RoomNid, list[EventNid]]:
        """The extremities of rooms."""
        found: dict[RoomNid, list[EventNid]] = {room: [] for room in rooms}
        sql = "SELECT room_nid, event_nid FROM forward_extremities WHERE room_nid IN ({}) ORDER BY room_nid, event_nid"
        for room, event in rows_in(source, sql, rooms):
            found[room].append(EventNid(event))
        return found

    def advance(
        self, transaction: Transaction, room: RoomNid, new: Collection[EventNid], spent: Collection[EventNid]
    ) -> None:
        """Add `new`, take `spent` away.

        Rows of a statement are sent together for a whole group of jobs, so what is added goes first: an event of one
        job that is spent by the next must have been added by then. An extremity never comes back, so this order is
        enough.
        """
        transaction.add_all(self._add, [(room, nid) for nid in new])
        transaction.add_all(
            "DELETE FROM forward_extremities WHERE room_nid = ? AND event_nid = ?", [(room, nid) for nid in spent]
        )
