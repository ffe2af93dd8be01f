"""Room aliases of this server, and which rooms it publishes in its directory."""

from __future__ import annotations

from collections.abc import Collection

from peewee import CompositeKey

from core.ids import RoomAlias, RoomNid, UserNid
from core.storage.database import Database
from core.storage.log import Kind
from core.storage.tables import BigIntegerField, MatrixStringField, Table
from core.storage.writer import Transaction


class RoomAliasRow(Table):
    """One alias and the room it leads to."""

    alias = MatrixStringField(255, primary_key=True)
    room_nid = BigIntegerField(index=True)
    creator_nid = BigIntegerField()

    class Meta:
        table_name = "room_aliases"


class PublishedRoom(Table):
    """A room listed in the directory; `network` is '' for the server's own list, else that of an application service."""

    room_nid = BigIntegerField()
    network = MatrixStringField(255)

    class Meta:
        table_name = "published_rooms"
        primary_key = CompositeKey("room_nid", "network")
        without_rowid = True


class RoomAliasStore:
    """Aliases. Writes go in the caller's job."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._insert = database.dialect.insert(RoomAliasRow)

    def find(self, alias: RoomAlias) -> tuple[RoomNid, UserNid] | None:
        """(room, creator) of an alias."""
        row = self._database.row("SELECT room_nid, creator_nid FROM room_aliases WHERE alias = ?", (alias,))
        return None if row is None else (row[0], row[1])

    def of_room(self, room: RoomNid) -> list[RoomAlias]:
        """The aliases that lead to a room, sorted."""
        rows = self._database.rows("SELECT alias FROM room_aliases WHERE room_nid = ? ORDER BY alias", (room,))
        return [alias for (alias,) in rows]

    def add(self, transaction: Transaction, alias: RoomAlias, room: RoomNid, creator: UserNid) -> bool:
        """Write a new alias; False where it exists already."""
        if transaction.row("SELECT room_nid FROM room_aliases WHERE alias = ?", (alias,)) is not None:
            return False
        transaction.run(self._insert, (alias, room, creator))
        transaction.log(Kind.ALIAS, room, room, replaces=True)
        return True

    def remove(self, transaction: Transaction, alias: RoomAlias, room: RoomNid) -> bool:
        """Take an alias away; False where there was none."""
        removed = transaction.run("DELETE FROM room_aliases WHERE alias = ? AND room_nid = ?", (alias, room)) > 0
        if removed:
            transaction.log(Kind.ALIAS, room, room, replaces=True)
        return removed

    def move(self, transaction: Transaction, old: RoomNid, new: RoomNid) -> None:
        """Let all aliases of one room lead to another: an upgrade."""
        transaction.run("UPDATE room_aliases SET room_nid = ? WHERE room_nid = ?", (new, old))
        transaction.log(Kind.ALIAS, old, old, replaces=True)
        transaction.log(Kind.ALIAS, new, new, replaces=True)


class PublishedRoomStore:
    """Which rooms the directory lists."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._insert = database.dialect.insert_new(PublishedRoom)

    def is_published(self, room: RoomNid, network: str = "") -> bool:
        """Whether the room is listed."""
        sql = "SELECT 1 FROM published_rooms WHERE room_nid = ? AND network = ?"
        return self._database.row(sql, (room, network)) is not None

    def all(self, networks: Collection[str] = ("",)) -> list[RoomNid]:
        """The rooms listed in any of `networks`."""
        rows = self._database.rows_in("SELECT DISTINCT room_nid FROM published_rooms WHERE network IN ({})", networks)
        return [room for (room,) in rows]

    def set(self, transaction: Transaction, room: RoomNid, is_listed: bool, network: str = "") -> None:
        """List the room, or no longer."""
        if is_listed:
            transaction.run(self._insert, (room, network))
        else:
            transaction.run("DELETE FROM published_rooms WHERE room_nid = ? AND network = ?", (room, network))
        transaction.log(Kind.DIRECTORY, room, room, replaces=True)
