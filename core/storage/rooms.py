"""Rooms by number: their id, version, and the row that every append to a room locks.

`serial` counts the appends of a room; a write that was prepared against another serial is prepared again. A room that
is only known by name (somebody was invited to it) has no version that was verified and no main line yet.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from core.events.room_versions import ROOM_VERSIONS, RoomVersion
from core.ids import RoomId, RoomNid
from core.storage.database import Database
from core.storage.events import rows_in
from core.storage.numbers import Numbers
from core.storage.tables import BigIntegerField, IntegerField, MatrixStringField, Table
from core.storage.writer import Transaction, Writer

CACHED_ROOMS = 100_000
"""How many rooms' ids and versions are kept in memory; at most about 40 MB."""


class Room(Table):
    """One room. `main_line` is 0 until the room has a state."""

    room_nid = BigIntegerField(primary_key=True)
    room_id = MatrixStringField(255, unique=True)
    version = MatrixStringField(64)
    serial = BigIntegerField()
    main_line = BigIntegerField()
    main_index = BigIntegerField()
    top_depth = BigIntegerField()
    joined_count = IntegerField()
    invited_count = IntegerField()

    class Meta:
        table_name = "rooms"


@dataclass(frozen=True, slots=True)
class RoomName:
    """What never changes about a room."""

    room_nid: RoomNid
    room_id: RoomId
    version: RoomVersion


@dataclass(frozen=True, slots=True)
class RoomRow:
    """What an append changes about a room."""

    serial: int
    main_line: int
    main_index: int
    top_depth: int
    joined_count: int
    invited_count: int


class RoomStore:
    """Rooms: names, versions, and their changing row."""

    def __init__(self, database: Database, writer: Writer) -> None:
        self._database = database
        self._writer = writer
        self._names: dict[int, RoomName] = {}
        self._nids: dict[str, RoomName] = {}
        self._insert = database.dialect.insert_new(Room)
        self._numbers = Numbers(writer, "rooms", block=200, margin=0)

    def find(self, room_id: RoomId) -> RoomName | None:
        """The room of that id, if we know it, even by name only."""
        found = self._nids.get(room_id)
        if found is None:
            self._keep(
                self._database.rows("SELECT room_nid, room_id, version FROM rooms WHERE room_id = ?", (room_id,))
            )
            found = self._nids.get(room_id)
        return found

    def name(self, room: RoomNid) -> RoomName:
        """The room of that number. Raises KeyError for a number never given out."""
        return self._names.get(room) or self.names((room,))[room]

    def names(self, rooms: Collection[RoomNid]) -> dict[RoomNid, RoomName]:
        """The rooms of those numbers."""
        found = {room: self._names[room] for room in rooms if room in self._names}
        missing = [room for room in rooms if room not in found]
        if missing:
            rows = self._database.rows_in(
                "SELECT room_nid, room_id, version FROM rooms WHERE room_nid IN ({})", missing
            )
            found.update((name.room_nid, name) for name in self._keep(rows))
        return found

    def all(self) -> list[RoomName]:
        """Every room that has a state here, oldest first. Cost: reads the whole table."""
        rows = self._database.rows("SELECT room_nid, room_id, version FROM rooms WHERE main_line > 0 ORDER BY room_nid")
        return self._keep(rows)

    def intern(self, room_id: RoomId, version: RoomVersion) -> RoomName:
        """The room of that id, made known by name if it is new; committed before this returns."""
        found = self.find(room_id)
        if found is not None:
            return found
        room = self.take_nid()
        self._writer.submit(lambda transaction: self.add(transaction, room, room_id, version))
        found = self.find(room_id)
        assert found is not None, "the room's row was just committed"
        return found

    def take_nid(self) -> RoomNid:
        """A number for a new room. Call outside any job; it may wait for the writer."""
        self._numbers.reserve(1)
        return RoomNid(self._numbers.take())

    def add(self, transaction: Transaction, room: RoomNid, room_id: RoomId, version: RoomVersion) -> bool:
        """Write the row of a new room without a state; False where there is one with the same id, which stays."""
        # at once, since another job of the group may have queued updates of rooms, which would go out first
        transaction.run(self._insert, (room, room_id, version.id, 0, 0, 0, 0, 0, 0))
        return bool(transaction.value("SELECT room_nid FROM rooms WHERE room_id = ?", (room_id,)) == room)

    def row(self, source: Database | Transaction, room: RoomNid) -> RoomRow:
        """The changing row. Raises KeyError for a number never given out."""
        return self.rows(source, (room,))[room]

    def rows(self, source: Database | Transaction, rooms: Collection[RoomNid]) -> dict[RoomNid, RoomRow]:
        """The changing rows of many rooms; numbers never given out are left out."""
        found = rows_in(
            source,
            "SELECT room_nid, serial, main_line, main_index, top_depth, joined_count, invited_count "
            "FROM rooms WHERE room_nid IN ({})",
            rooms,
        )
        return {RoomNid(row[0]): RoomRow(*row[1:]) for row in found}

    def lock(self, transaction: Transaction, room: RoomNid) -> int:
        """Hold the room's row until the commit and return its serial: where other processes may append as well."""
        serial = transaction.value("SELECT serial FROM rooms WHERE room_nid = ? FOR UPDATE", (room,))
        if serial is None:
            raise KeyError(room)
        return int(serial)

    def update(self, transaction: Transaction, room: RoomNid, row: RoomRow) -> None:
        """Write the changing row."""
        transaction.add(
            "UPDATE rooms SET serial = ?, main_line = ?, main_index = ?, top_depth = ?, joined_count = ?, "
            "invited_count = ? WHERE room_nid = ?",
            (row.serial, row.main_line, row.main_index, row.top_depth, row.joined_count, row.invited_count, room),
        )

    def _keep(self, rows: list[tuple[int, str, str]]) -> list[RoomName]:
        if len(self._names) > CACHED_ROOMS:
            self._names.clear()
            self._nids.clear()
        names = [RoomName(RoomNid(nid), RoomId(room_id), ROOM_VERSIONS[version]) for nid, room_id, version in rows]
        for name in names:
            self._names[name.room_nid] = name
            self._nids[name.room_id] = name
        return names
