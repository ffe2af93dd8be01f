"""Edges of the timeline graph: which event follows which, and where what comes before is missing.

An edge is filed under the event it leads back to, because what is asked is "what follows this one"; the way back is
written in the event itself. A prev event we do not have makes its successor a *backward extremity*: the marker of a
gap.
"""

from __future__ import annotations

from collections.abc import Collection

from peewee import CompositeKey

from core.ids import EventId, EventNid, RoomNid
from core.storage.database import Database
from core.storage.events import HIDDEN, rows_in
from core.storage.tables import BigIntegerField, MatrixStringField, Table
from core.storage.writer import Transaction


class Edge(Table):
    """`event_nid` lists `prev_nid` among its prev events."""

    prev_nid = BigIntegerField()
    event_nid = BigIntegerField()

    class Meta:
        table_name = "event_edges"
        primary_key = CompositeKey("prev_nid", "event_nid")
        without_rowid = True


class BackwardExtremity(Table):
    """`event_nid` lists `missing_id` among its prev events, and we have no place for that one."""

    room_nid = BigIntegerField()
    event_nid = BigIntegerField()
    missing_id = MatrixStringField(255)

    class Meta:
        table_name = "backward_extremities"
        primary_key = CompositeKey("room_nid", "event_nid", "missing_id")
        without_rowid = True
        indexes = ((("missing_id",), False),)


class EdgeStore:
    """Edges and gaps."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._add = database.dialect.insert_new(Edge)
        self._add_gap = database.dialect.insert_new(BackwardExtremity)

    def add(self, transaction: Transaction, edges: Collection[tuple[EventNid, EventNid]]) -> None:
        """Write edges: (prev event, event)."""
        for edge in edges:
            transaction.add(self._add, edge)

    def add_gaps(self, transaction: Transaction, room: RoomNid, gaps: Collection[tuple[EventNid, EventId]]) -> None:
        """Note that what comes before some events is missing: (event, missing event)."""
        for nid, event_id in gaps:
            transaction.add(self._add_gap, (room, nid, event_id))

    def close_gaps(self, transaction: Transaction, found: EventId) -> None:
        """`found` got its place: nothing misses it any longer."""
        transaction.run("DELETE FROM backward_extremities WHERE missing_id = ?", (found,))

    def waiting_for(
        self, source: Database | Transaction, missing: Collection[EventId]
    ) -> dict[EventId, list[EventNid]]:
        """The events that follow each of `missing`, for those that anything follows."""
        found: dict[EventId, list[EventNid]] = {}
        sql = "SELECT missing_id, event_nid FROM backward_extremities WHERE missing_id IN ({})"
        for event_id, nid in rows_in(source, sql, missing):
            found.setdefault(event_id, []).append(nid)
        return found

    def gaps_of(self, events: Collection[EventNid]) -> dict[EventNid, list[EventId]]:
        """The missing prev events of each of `events` that has some."""
        found: dict[EventNid, list[EventId]] = {}
        sql = "SELECT event_nid, missing_id FROM backward_extremities WHERE event_nid IN ({})"
        for nid, event_id in self._database.rows_in(sql, events):
            found.setdefault(nid, []).append(event_id)
        return found

    def gaps_in(self, room: RoomNid) -> list[tuple[EventNid, EventId]]:
        """All gaps of a room: (successor, missing event)."""
        return self._database.rows("SELECT event_nid, missing_id FROM backward_extremities WHERE room_nid = ?", (room,))

    def rooms_with_holes(self, limit: int) -> list[RoomNid]:
        """Rooms with gaps that have older history below them, those with the newest first. Cost: a look at every gap."""
        sql = (
            "SELECT b.room_nid FROM backward_extremities b JOIN events g ON g.event_nid = b.event_nid "
            "WHERE EXISTS (SELECT 1 FROM events e WHERE e.room_nid = b.room_nid AND e.local_depth < g.local_depth "
            f"AND (e.flags & {int(HIDDEN)}) = 0) GROUP BY b.room_nid ORDER BY MAX(b.event_nid) DESC LIMIT ?"
        )
        return [RoomNid(row[0]) for row in self._database.rows(sql, (limit,))]

    def successors(self, source: Database | Transaction, prevs: Collection[EventNid]) -> dict[EventNid, list[EventNid]]:
        """The events that list each of `prevs`, for those that are listed by any."""
        found: dict[EventNid, list[EventNid]] = {}
        for prev, event in rows_in(source, "SELECT prev_nid, event_nid FROM event_edges WHERE prev_nid IN ({})", prevs):
            found.setdefault(prev, []).append(event)
        return found
