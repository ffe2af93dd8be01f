"""Which servers are in which room, as intervals over the main line's index, both ends inclusive.

An interval begins at the index at which the server's first user is joined, and ends at the index at which its last one
no longer is; since the end is inclusive, a server that is kicked out still receives the event that does it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from peewee import CompositeKey

from core.ids import RoomNid, TextNid
from core.storage.database import Database
from core.storage.tables import BigIntegerField, IntegerField, Table
from core.storage.writer import Transaction

OPEN = 2**62
"""The end of an interval that has not ended."""


class RoomServer(Table):
    """One stay of one server in one room; `joined` counts its joined users, and is 0 once the stay has ended."""

    room_nid = BigIntegerField()
    server_nid = BigIntegerField()
    from_index = BigIntegerField()
    to_index = BigIntegerField()
    joined = IntegerField()

    class Meta:
        table_name = "room_servers"
        primary_key = CompositeKey("room_nid", "server_nid", "from_index")
        without_rowid = True
        indexes = ((("server_nid", "to_index"), False),)


class RoomServerStore:
    """Servers in rooms."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._insert = database.dialect.insert(RoomServer)

    def now_in(self, room: RoomNid) -> list[TextNid]:
        """The servers with a joined user in the room."""
        rows = self._database.rows(
            "SELECT server_nid FROM room_servers WHERE room_nid = ? AND to_index = ?", (room, OPEN)
        )
        return [TextNid(row[0]) for row in rows]

    def in_at(self, room: RoomNid, index: int) -> list[TextNid]:
        """The servers whose stay includes an index of the main line; at an event's `main_before`: who is told of it."""
        rows = self._database.rows(
            "SELECT DISTINCT server_nid FROM room_servers WHERE room_nid = ? AND from_index <= ? AND to_index >= ?",
            (room, index, index),
        )
        return [TextNid(row[0]) for row in rows]

    def anywhere(self) -> list[TextNid]:
        """Every server with a joined user in any room."""
        rows = self._database.rows("SELECT DISTINCT server_nid FROM room_servers WHERE to_index = ?", (OPEN,))
        return [TextNid(row[0]) for row in rows]

    def joined_at(self, room: RoomNid, index: int) -> list[TextNid]:
        """The servers that have a joined user in the state at an index of the main line."""
        rows = self._database.rows(
            "SELECT DISTINCT server_nid FROM room_servers WHERE room_nid = ? AND from_index <= ? AND to_index > ?",
            (room, index, index),
        )
        return [TextNid(row[0]) for row in rows]

    def sharing(self, user: TextNid) -> list[TextNid]:
        """The servers with a joined user in a room that this user is joined to."""
        rows = self._database.rows(
            "SELECT DISTINCT s.server_nid FROM memberships m JOIN room_servers s ON s.room_nid = m.room_nid "
            "AND s.to_index = ? WHERE m.user_nid = ? AND m.membership = 1",
            (OPEN, user),
        )
        return [TextNid(row[0]) for row in rows]

    def sharing_elsewhere(self, user: TextNid, room: RoomNid) -> list[TextNid]:
        """As `sharing`, leaving one room out."""
        rows = self._database.rows(
            "SELECT DISTINCT s.server_nid FROM memberships m JOIN room_servers s ON s.room_nid = m.room_nid "
            "AND s.to_index = ? WHERE m.user_nid = ? AND m.membership = 1 AND m.room_nid <> ?",
            (OPEN, user, room),
        )
        return [TextNid(row[0]) for row in rows]

    def stays(self, room: RoomNid, server: TextNid) -> list[tuple[int, int]]:
        """The intervals of one server in a room, oldest first; the last may end at OPEN."""
        return self._database.rows(
            "SELECT from_index, to_index FROM room_servers WHERE room_nid = ? AND server_nid = ? ORDER BY from_index",
            (room, server),
        )

    def rooms_of(self, server: TextNid) -> list[tuple[RoomNid, int, int]]:
        """(room, from, to) of every stay of a server."""
        return self._database.rows(
            "SELECT room_nid, from_index, to_index FROM room_servers WHERE server_nid = ?", (server,)
        )

    def add(self, transaction: Transaction, rows: Sequence[tuple[int, int, int, int, int]]) -> None:
        """Write the stays of a room that had none: (room, server, from, to, joined users)."""
        transaction.add_all(self._insert, rows)

    def change(self, transaction: Transaction, room: RoomNid, joined: Mapping[TextNid, int], index: int) -> None:
        """Add to each server's count of joined users, opening and closing its stay as needed.

        These statements go out at once, since each depends on what the one before has done.
        """
        for server, count in joined.items():
            here = (room, server, OPEN)
            touched = transaction.run(
                "UPDATE room_servers SET joined = joined + ? WHERE room_nid = ? AND server_nid = ? AND to_index = ?",
                (count, *here),
            )
            if not touched and count > 0:
                transaction.run(self._insert, (room, server, index, OPEN, count))
            elif count < 0:
                transaction.run(
                    "UPDATE room_servers SET to_index = ? "
                    "WHERE room_nid = ? AND server_nid = ? AND to_index = ? AND joined <= 0",
                    (index, *here),
                )
