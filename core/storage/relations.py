"""Relations between events, for aggregations and threads. Redacted events have none.

The parent is kept by its event id, since it may not have arrived yet.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from peewee import CompositeKey

from core.ids import EventId, EventNid, RoomNid, TextNid
from core.storage.database import Database
from core.storage.sql import marks
from core.storage.tables import BigIntegerField, MatrixStringField, Table
from core.storage.writer import Transaction


class RelationRow(Table):
    """`child_nid` relates to `parent_id`. `key_nid` is the annotation's key, or 0."""

    parent_id = MatrixStringField(255)
    rel_type_nid = BigIntegerField()
    child_nid = BigIntegerField()
    room_nid = BigIntegerField()
    type_nid = BigIntegerField()
    sender_nid = BigIntegerField()
    key_nid = BigIntegerField()

    class Meta:
        table_name = "relations"
        primary_key = CompositeKey("parent_id", "rel_type_nid", "child_nid")
        without_rowid = True
        indexes = ((("room_nid", "rel_type_nid", "child_nid"), False), (("child_nid",), False))


@dataclass(frozen=True, slots=True)
class Relation:
    """One relation. `key_nid` is the interned key of an annotation, or 0."""

    parent_id: EventId
    rel_type_nid: TextNid
    child_nid: EventNid
    room_nid: RoomNid
    type_nid: TextNid
    sender_nid: TextNid
    key_nid: int = 0


_COLUMNS = "parent_id, rel_type_nid, child_nid, room_nid, type_nid, sender_nid, key_nid"


class RelationStore:
    """Relations by parent, by child, and by room."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._add = database.dialect.insert_new(RelationRow)

    def children(self, parents: Collection[EventId], rel_types: Collection[TextNid] = ()) -> list[Relation]:
        """The relations to each of `parents`, of some types or all, by number of the child."""
        wanted = f" AND rel_type_nid IN ({marks(len(rel_types))})" if rel_types else ""
        sql = f"SELECT {_COLUMNS} FROM relations WHERE parent_id IN ({{}}){wanted}"
        rows = self._database.rows_in(sql, parents, after=tuple(rel_types))
        return sorted((Relation(*row) for row in rows), key=lambda relation: relation.child_nid)

    def of_children(self, children: Collection[EventNid]) -> dict[EventNid, Relation]:
        """The relation of each of `children` that has one."""
        rows = self._database.rows_in(f"SELECT {_COLUMNS} FROM relations WHERE child_nid IN ({{}})", children)
        return {row[2]: Relation(*row) for row in rows}

    def parents_in(self, room: RoomNid, rel_type: TextNid) -> list[tuple[EventId, EventNid]]:
        """(parent, newest child) of every parent with a relation of this type in the room, newest child first."""
        return self._database.rows(
            "SELECT parent_id, MAX(child_nid) AS newest FROM relations WHERE room_nid = ? AND rel_type_nid = ? "
            "GROUP BY parent_id ORDER BY newest DESC",
            (room, rel_type),
        )

    def add(self, transaction: Transaction, relations: Sequence[Relation]) -> None:
        """Write relations of events that got their place."""
        transaction.add_all(
            self._add,
            [
                (r.parent_id, r.rel_type_nid, r.child_nid, r.room_nid, r.type_nid, r.sender_nid, r.key_nid)
                for r in relations
            ],
        )

    def remove_child(self, transaction: Transaction, child: EventNid) -> None:
        """A redacted event relates to nothing."""
        transaction.run("DELETE FROM relations WHERE child_nid = ?", (child,))
