"""Taking history out of the database: the rows that go, and which purges were begun, so that none stays half done."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from core.ids import EventId, EventNid, RoomNid
from core.storage.database import Database, Row
from core.storage.events import Flag, rows_in
from core.storage.log import Kind
from core.storage.sql import marks
from core.storage.tables import BigIntegerField, Table
from core.storage.writer import Transaction

_GONE = int(Flag.OUTLIER | Flag.PURGED)


class Purge(Table):
    """A purge that was begun: everything before this place in history order goes."""

    room_nid = BigIntegerField(primary_key=True)
    local_depth = BigIntegerField()
    event_nid = BigIntegerField()

    class Meta:
        table_name = "purges"


@dataclass(frozen=True, slots=True)
class PurgeRow:
    """One purge. Events before (local_depth, event_nid) in history order go."""

    room_nid: RoomNid
    local_depth: int
    event_nid: int


_BEFORE = "room_nid = ? AND (local_depth < ? OR (local_depth = ? AND event_nid < ?)) AND (flags & 1) = 0"
_NOT_BEFORE = "room_nid = ? AND (local_depth > ? OR (local_depth = ? AND event_nid >= ?)) AND (flags & 1) = 0"


class PurgeStore:
    """The statements of a purge. The order in which they may run is core.graph.purging's to know."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._begin = database.dialect.upsert(Purge)

    def begin(self, transaction: Transaction, purge: PurgeRow) -> None:
        """Remember a purge until it has ended."""
        transaction.add(self._begin, (purge.room_nid, purge.local_depth, purge.event_nid))

    def end(self, transaction: Transaction, room: RoomNid) -> None:
        """Forget a purge."""
        transaction.run("DELETE FROM purges WHERE room_nid = ?", (room,))

    def begun(self) -> list[PurgeRow]:
        """The purges that have not ended."""
        return [PurgeRow(*row) for row in self._database.rows("SELECT room_nid, local_depth, event_nid FROM purges")]

    def doomed(self, purge: PurgeRow) -> list[EventNid]:
        """The events with a place before the purge's."""
        rows = self._database.rows(f"SELECT event_nid FROM events WHERE {_BEFORE}", _place(purge))
        return [EventNid(row[0]) for row in rows]

    def kept(self, purge: PurgeRow) -> list[Row]:
        """(nid, line, index, after line, after index, redacted by) of the events that stay."""
        return self._database.rows(
            f"SELECT event_nid, line, line_index, after_line, after_index, redacted_by FROM events WHERE {_NOT_BEFORE}",
            _place(purge),
        )

    def gone(self, room: RoomNid) -> list[EventNid]:
        """The events that were purged and are still here, as outliers."""
        sql = f"SELECT event_nid FROM events WHERE room_nid = ? AND (flags & {_GONE}) = {_GONE}"
        return [EventNid(row[0]) for row in self._database.rows(sql, (room,))]

    def boundary(self, gone: Collection[EventNid]) -> list[tuple[EventNid, EventNid, EventId]]:
        """(prev, event, id of prev) of the edges that lead back to events which were purged."""
        sql = (
            "SELECT e.prev_nid, e.event_nid, p.event_id FROM event_edges e JOIN events p ON p.event_nid = e.prev_nid "
            "JOIN events n ON n.event_nid = e.event_nid WHERE e.prev_nid IN ({}) AND (n.flags & 1) = 0"
        )
        return rows_in(self._database, sql, gone)

    def take_place(self, transaction: Transaction, nids: Collection[EventNid]) -> None:
        """Turn events into outliers, and take them out of the log and of what counts as unread."""
        listed = marks(len(nids))
        transaction.run(
            f"UPDATE events SET flags = flags | {_GONE}, local_depth = 0, line = 0, line_index = 0, after_line = 0, "
            f"after_index = 0 WHERE event_nid IN ({listed})",
            list(nids),
        )
        for table in ("notified_events", "user_notifications"):
            transaction.run(f"DELETE FROM {table} WHERE event_nid IN ({listed})", list(nids))
        kinds = (Kind.EVENT, Kind.BACKFILL)
        transaction.run(
            f"DELETE FROM log WHERE reference IN ({listed}) AND kind IN ({marks(len(kinds))})", [*nids, *kinds]
        )

    def mark_gap(self, transaction: Transaction, nids: Collection[EventNid]) -> None:
        """What comes before these events is missing from now on."""
        transaction.run(
            f"UPDATE events SET flags = flags | {int(Flag.GAP)} WHERE event_nid IN ({marks(len(nids))})", list(nids)
        )

    def delete(self, transaction: Transaction, nids: Collection[EventNid]) -> None:
        """Take events out of the database, with all rows that speak of them."""
        listed = marks(len(nids))
        for table, column in (
            ("events", "event_nid"),
            ("auth_edges", "event_nid"),
            ("event_edges", "prev_nid"),
            ("backward_extremities", "event_nid"),
            ("relations", "child_nid"),
            ("transaction_ids", "event_nid"),
        ):
            transaction.run(f"DELETE FROM {table} WHERE {column} IN ({listed})", list(nids))
        transaction.run(f"DELETE FROM log WHERE reference IN ({listed}) AND kind = ?", [*nids, Kind.REDACTED])

    def cut_line(self, transaction: Transaction, line: int, index: int) -> None:
        """Take a line's changes up to `index` away, and the keyframes before it."""
        transaction.run("DELETE FROM state_changes WHERE line_nid = ? AND line_index <= ?", (line, index))
        transaction.run("DELETE FROM state_keyframes WHERE line_nid = ? AND line_index < ?", (line, index))

    def delete_line(self, transaction: Transaction, line: int) -> None:
        """Take a line away."""
        for table in ("state_changes", "state_keyframes", "state_lines"):
            transaction.run(f"DELETE FROM {table} WHERE line_nid = ?", (line,))

    def delete_deltas(self, transaction: Transaction, room: RoomNid, upto: int) -> None:
        """Take the deltas up to an index of the main line out of the log, with their rows."""
        transaction.run(
            "DELETE FROM log WHERE kind = ? AND subject = ? AND reference IN "
            "(SELECT delta_nid FROM state_deltas WHERE room_nid = ? AND upto_index <= ?)",
            (Kind.STATE_DELTA, room, room, upto),
        )
        transaction.run("DELETE FROM state_deltas WHERE room_nid = ? AND upto_index <= ?", (room, upto))

    def delta_around(self, room: RoomNid, index: int) -> int | None:
        """Where the delta begins that has `index` inside it."""
        found: int | None = self._database.value(
            "SELECT after_index FROM state_deltas WHERE room_nid = ? AND upto_index > ? AND after_index < ? "
            "ORDER BY upto_index LIMIT 1",
            (room, index, index),
        )
        return found

    def lines_of(self, room: RoomNid) -> list[tuple[int, int, int, int]]:
        """(line, parent, parent index, nesting) of a room's lines, the least nested first."""
        return self._database.rows(
            "SELECT line_nid, parent_line, parent_index, nesting FROM state_lines WHERE room_nid = ? ORDER BY nesting",
            (room,),
        )

    def events_of_line(self, line: int, after: int) -> set[EventNid]:
        """The events that changes after an index of a line speak of."""
        rows = self._database.rows(
            "SELECT old_nid, new_nid FROM state_changes WHERE line_nid = ? AND line_index > ?", (line, after)
        )
        return {EventNid(nid) for row in rows for nid in row if nid}


def _place(purge: PurgeRow) -> tuple[int, int, int, int]:
    return (purge.room_nid, purge.local_depth, purge.local_depth, purge.event_nid)
