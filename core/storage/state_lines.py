"""State as stored: lines of changes, keyframes, and the tip of each room's main line.

A line is a history of changes over its own index: after index n, the first n changes have happened to the state the
line began with, which is that of its parent at `parent_index`, or nothing, or a keyframe. See docs/graph.md.
"""

from __future__ import annotations

import array
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from peewee import CompositeKey

from core.ids import EventNid, RoomNid, TextNid
from core.storage.database import IDS_PER_QUERY, Database
from core.storage.events import rows_in
from core.storage.sql import marks
from core.storage.tables import BigIntegerField, BytesField, SmallIntegerField, Table
from core.storage.writer import Transaction

StateNidKey = tuple[TextNid, TextNid]
"""(event type, state key), by number."""

Change = tuple[TextNid, TextNid, EventNid | None, EventNid | None]
"""(type, state key, event before, event after); None where the key is empty."""


class StateLine(Table):
    """One line. `parent_line` is 0 for a root; `nesting` counts the lines beneath it."""

    line_nid = BigIntegerField(primary_key=True)
    room_nid = BigIntegerField(index=True)
    parent_line = BigIntegerField()
    parent_index = BigIntegerField()
    nesting = SmallIntegerField()
    tip_index = BigIntegerField()
    keyframe_index = BigIntegerField()

    class Meta:
        table_name = "state_lines"


class StateChange(Table):
    """The change that leads from index - 1 to `line_index`. 0 stands for "no event"."""

    line_nid = BigIntegerField()
    line_index = BigIntegerField()
    type_nid = BigIntegerField()
    state_key_nid = BigIntegerField()
    old_nid = BigIntegerField()
    new_nid = BigIntegerField()

    class Meta:
        table_name = "state_changes"
        primary_key = CompositeKey("line_nid", "line_index")
        without_rowid = True
        indexes = ((("line_nid", "type_nid", "state_key_nid", "line_index"), False),)


class Keyframe(Table):
    """The whole state at one index of a line, packed: type, state key, event; 8 bytes each."""

    line_nid = BigIntegerField()
    line_index = BigIntegerField()
    entries = BytesField()

    class Meta:
        table_name = "state_keyframes"
        primary_key = CompositeKey("line_nid", "line_index")


class CurrentState(Table):
    """The tip of a room's main line, a row a key. An `event_nid` of 0 is a key that has become empty."""

    room_nid = BigIntegerField()
    type_nid = BigIntegerField()
    state_key_nid = BigIntegerField()
    event_nid = BigIntegerField()

    class Meta:
        table_name = "current_state"
        primary_key = CompositeKey("room_nid", "type_nid", "state_key_nid")
        without_rowid = True


@dataclass(frozen=True, slots=True)
class Line:
    """A line as it stands. `keyframe_index` is that of its newest keyframe, -1 where it has none."""

    line_nid: int
    room_nid: RoomNid
    parent_line: int
    parent_index: int
    nesting: int
    tip_index: int
    keyframe_index: int


class StateLineStore:
    """Lines, their changes, keyframes and the current state."""

    def __init__(self, database: Database) -> None:
        self._database = database
        dialect = database.dialect
        self._put_line = dialect.upsert(StateLine)
        self._add_change = dialect.insert(StateChange)
        self._add_keyframe = dialect.upsert(Keyframe)
        self._put_current = dialect.upsert(CurrentState)

    def lines(self, source: Database | Transaction, nids: Collection[int]) -> dict[int, Line]:
        """Lines by number."""
        sql = (
            "SELECT line_nid, room_nid, parent_line, parent_index, nesting, tip_index, keyframe_index "
            "FROM state_lines WHERE line_nid IN ({})"
        )
        return {row[0]: Line(*row) for row in rows_in(source, sql, nids)}

    def keyframe(self, source: Database | Transaction, line: int, index: int) -> tuple[int, bytes] | None:
        """(index, packed entries) of the newest keyframe of `line` at or before `index`."""
        row = source.row(
            "SELECT line_index, entries FROM state_keyframes WHERE line_nid = ? AND line_index <= ? "
            "ORDER BY line_index DESC LIMIT 1",
            (line, index),
        )
        return None if row is None else (row[0], row[1])

    def keyframes_of(self, line: int) -> list[bytes]:
        """The packed entries of all keyframes of a line."""
        rows = self._database.rows("SELECT entries FROM state_keyframes WHERE line_nid = ?", (line,))
        return [row[0] for row in rows]

    def first_keyframe(self, line: int, upto: int) -> int | None:
        """The index of the oldest keyframe of `line`, if it is not after `upto`."""
        found: int | None = self._database.value(
            "SELECT MIN(line_index) FROM state_keyframes WHERE line_nid = ?", (line,)
        )
        return found if found is not None and found <= upto else None

    def changes(
        self, source: Database | Transaction, line: int, after: int, upto: int
    ) -> list[tuple[TextNid, TextNid, int, int]]:
        """(type, state key, old, new) of the changes in (after, upto], in order; 0 for "no event"."""
        return source.rows(
            "SELECT type_nid, state_key_nid, old_nid, new_nid FROM state_changes "
            "WHERE line_nid = ? AND line_index > ? AND line_index <= ? ORDER BY line_index",
            (line, after, upto),
        )

    def changes_at(self, places: Mapping[int, Collection[int]]) -> dict[tuple[int, int], tuple[int, int]]:
        """(old, new) of the changes at some indexes of each line, by (line, index); 0 for "no event"."""
        selects = []
        for line, indexes in places.items():
            listed = list(indexes)
            for start in range(0, len(listed), IDS_PER_QUERY):
                some = listed[start : start + IDS_PER_QUERY]
                sql = (
                    "SELECT line_nid, line_index, old_nid, new_nid FROM state_changes "
                    f"WHERE line_nid = ? AND line_index IN ({marks(len(some))})"
                )
                selects.append((sql, (line, *some)))
        return {(line, index): (old, new) for line, index, old, new in self._database.union(selects)}

    def latest(self, source: Database | Transaction, line: int, key: StateNidKey, upto: int) -> tuple[int, int] | None:
        """(index, event or 0) of the newest change of `key` on `line` at or before `upto`."""
        row = source.row(
            "SELECT line_index, new_nid FROM state_changes WHERE line_nid = ? AND type_nid = ? AND state_key_nid = ? "
            "AND line_index <= ? ORDER BY line_index DESC LIMIT 1",
            (line, *key, upto),
        )
        return None if row is None else (row[0], row[1])

    def history_of(self, line: int, key: StateNidKey) -> list[tuple[int, int, int]]:
        """(index, old, new) of every change of `key` on `line`, in order."""
        return self.histories_of((line,), key)[line]

    def histories_of(self, lines: Collection[int], key: StateNidKey) -> dict[int, list[tuple[int, int, int]]]:
        """(index, old, new) of every change of `key`, in order, for each line."""
        found: dict[int, list[tuple[int, int, int]]] = {line: [] for line in lines}
        rows = self._database.rows_in(
            "SELECT line_nid, line_index, old_nid, new_nid FROM state_changes WHERE line_nid IN ({}) AND type_nid = ? "
            "AND state_key_nid = ? ORDER BY line_nid, line_index",
            lines,
            after=key,
        )
        for line, index, old, new in rows:
            found[line].append((index, old, new))
        return found

    def current(
        self, source: Database | Transaction, rooms: Collection[RoomNid]
    ) -> dict[RoomNid, dict[StateNidKey, EventNid]]:
        """The current state of each room: events by (type, state key)."""
        found: dict[RoomNid, dict[StateNidKey, EventNid]] = {room: {} for room in rooms}
        sql = (
            "SELECT room_nid, type_nid, state_key_nid, event_nid FROM current_state "
            "WHERE room_nid IN ({}) AND event_nid > 0"
        )
        for room, type_nid, key_nid, event in rows_in(source, sql, rooms):
            found[room][type_nid, key_nid] = event
        return found

    def rooms_without_main_line(self) -> list[RoomNid]:
        """The rooms that have lines, but no state: what interrupted entrances have left."""
        rows = self._database.rows(
            "SELECT DISTINCT l.room_nid FROM state_lines l JOIN rooms r ON r.room_nid = l.room_nid WHERE r.main_line = 0"
        )
        return [RoomNid(row[0]) for row in rows]

    def clear_room(self, transaction: Transaction, room: RoomNid) -> None:
        """Drop all lines of a room that has no state."""
        lines = "(SELECT line_nid FROM state_lines WHERE room_nid = ?)"
        transaction.run(f"DELETE FROM state_changes WHERE line_nid IN {lines}", (room,))
        transaction.run(f"DELETE FROM state_keyframes WHERE line_nid IN {lines}", (room,))
        transaction.run("DELETE FROM current_state WHERE room_nid = ?", (room,))
        transaction.run("DELETE FROM state_lines WHERE room_nid = ?", (room,))

    def put_line(self, transaction: Transaction, line: Line) -> None:
        """Write a line's row, new or changed."""
        transaction.add(
            self._put_line,
            (
                line.line_nid,
                line.room_nid,
                line.parent_line,
                line.parent_index,
                line.nesting,
                line.tip_index,
                line.keyframe_index,
            ),
        )

    def add_changes(self, transaction: Transaction, line: int, first: int, changes: Iterable[Change]) -> None:
        """Write changes from index `first` on."""
        transaction.add_all(
            self._add_change,
            [
                (line, index, type_nid, key_nid, old or 0, new or 0)
                for index, (type_nid, key_nid, old, new) in enumerate(changes, first)
            ],
        )

    def add_keyframe(self, transaction: Transaction, line: int, index: int, entries: bytes) -> None:
        """Write a whole state."""
        transaction.add(self._add_keyframe, (line, index, entries))

    def set_current(self, transaction: Transaction, room: RoomNid, changes: Iterable[Change]) -> None:
        """Bring the current state's rows up to the main line's new tip."""
        transaction.add_all(self._put_current, [(room, type_nid, key, new or 0) for type_nid, key, _, new in changes])


def pack_state(entries: Iterable[tuple[StateNidKey, EventNid]]) -> bytes:
    """A state as bytes."""
    numbers = array.array("q")
    for (type_nid, key_nid), event in entries:
        numbers.extend((type_nid, key_nid, event))
    return numbers.tobytes()


def unpack_state(packed: bytes) -> dict[StateNidKey, EventNid]:
    """What `pack_state` packed."""
    numbers = array.array("q")
    numbers.frombytes(packed)
    return dict(zip(zip(numbers[0::3], numbers[1::3], strict=True), numbers[2::3], strict=True))  # type: ignore[arg-type]  # plain ints are the numbers


def pack_nids(nids: Iterable[int]) -> bytes:
    """Numbers as bytes."""
    return array.array("q", nids).tobytes()


def unpack_nids(packed: bytes) -> tuple[EventNid, ...]:
    """What `pack_nids` packed."""
    numbers = array.array("q")
    numbers.frombytes(packed)
    return tuple(numbers)  # type: ignore[arg-type]  # plain ints are the numbers
