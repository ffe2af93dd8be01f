"""Reads relations together with where the related events stand: for aggregations, paging and threads.

core.storage.relations owns the table; here are the questions that need the events' rows as well. Soft-failed and rejected
events have no relation there; one that was redacted has lost its own.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from core.ids import EventId, EventNid, RoomNid, TextNid
from core.storage.database import Database
from core.storage.sql import marks

_COLUMNS = (
    "r.parent_id, r.rel_type_nid, r.child_nid, r.type_nid, r.sender_nid, e.event_id, e.local_depth, e.origin_server_ts"
)


@dataclass(frozen=True, slots=True)
class RelatedEvent:
    """An event that relates to `parent_id`, and its place in history order: (depth, nid)."""

    parent_id: EventId
    rel_type_nid: TextNid
    nid: EventNid
    type_nid: TextNid
    sender_nid: TextNid
    event_id: EventId
    depth: int
    origin_server_ts: int

    @property
    def place(self) -> tuple[int, EventNid]:
        """Where it stands in history order."""
        return (self.depth, self.nid)


class RelatedEventStore:
    """Questions about related events. Reads only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def has_any(self, room: RoomNid, rel_types: Collection[TextNid]) -> bool:
        """Whether the room has any relation of these types. Cost: a look into the index."""
        return bool(self.rooms_with_any((room,), rel_types))

    def rooms_with_any(self, rooms: Collection[RoomNid], rel_types: Collection[TextNid]) -> set[RoomNid]:
        """Those of some rooms that have any relation of these types. Cost: a look into the index for each."""
        if not rel_types:
            return set()
        sql = f"SELECT room_nid FROM relations WHERE room_nid = ? AND rel_type_nid IN ({marks(len(rel_types))}) LIMIT 1"
        rows = self._database.union([(sql, (room, *rel_types)) for room in rooms])
        return {RoomNid(row[0]) for row in rows}

    def children(
        self,
        room: RoomNid,
        parents: Collection[EventId],
        rel_types: Collection[TextNid] = (),
        event_type: TextNid | None = None,
    ) -> list[RelatedEvent]:
        """What relates to each of `parents` within the room, of some relation types or all, in history order."""
        wanted, after = " AND r.room_nid = ?", [int(room)]
        if rel_types:
            wanted += f" AND r.rel_type_nid IN ({marks(len(rel_types))})"
            after += rel_types
        if event_type is not None:
            wanted += " AND r.type_nid = ?"
            after.append(event_type)
        rows = self._database.rows_in(
            f"SELECT {_COLUMNS} FROM relations r JOIN events e ON e.event_nid = r.child_nid "
            f"WHERE r.parent_id IN ({{}}){wanted}",
            parents,
            after=tuple(after),
        )
        return sorted((RelatedEvent(*row) for row in rows), key=lambda one: one.place)

    def has_annotation(
        self, parent: EventId, rel_type: TextNid, event_type: TextNid, sender: TextNid, key: TextNid
    ) -> bool:
        """Whether `sender` has annotated `parent` with this event type and key."""
        found = self._database.value(
            "SELECT 1 FROM relations WHERE parent_id = ? AND rel_type_nid = ? AND sender_nid = ? AND type_nid = ? "
            "AND key_nid = ? LIMIT 1",
            (parent, rel_type, sender, event_type, key),
        )
        return found is not None

    def newest_of_parents(
        self, room: RoomNid, rel_type: TextNid, below: tuple[int, EventNid] | None, limit: int
    ) -> list[tuple[EventId, int, EventNid]]:
        """(parent, depth, number of its newest child) of the room's parents, newest child first, those below a place.

        Newest is meant in history order, so that what was backfilled stands where it belongs. Cost: all of the room's
        relations of this type.
        """
        depth, nid = (2**62, EventNid(0)) if below is None else below
        return self._database.rows(
            "SELECT parent_id, depth, nid FROM (SELECT r.parent_id, e.local_depth AS depth, r.child_nid AS nid, "
            "ROW_NUMBER() OVER (PARTITION BY r.parent_id ORDER BY e.local_depth DESC, r.child_nid DESC) AS number "
            "FROM relations r JOIN events e ON e.event_nid = r.child_nid WHERE r.room_nid = ? AND r.rel_type_nid = ?"
            ") newest WHERE number = 1 AND (depth < ? OR (depth = ? AND nid < ?)) ORDER BY depth DESC, nid DESC LIMIT ?",
            (room, rel_type, depth, depth, nid, limit),
        )
