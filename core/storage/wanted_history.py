"""Rooms that were entered, and whose history before that is still to be fetched: so that a restart does not forget it."""

from __future__ import annotations

from core.ids import RoomNid
from core.storage.database import Database
from core.storage.tables import BigIntegerField, Table
from core.storage.writer import Writer


class WantedHistory(Table):
    """One room."""

    room_nid = BigIntegerField(primary_key=True)

    class Meta:
        table_name = "wanted_history"


class WantedHistoryStore:
    """The rooms."""

    def __init__(self, database: Database, writer: Writer) -> None:
        self._database = database
        self._writer = writer
        self._insert = database.dialect.insert_new(WantedHistory)

    def rooms(self) -> list[RoomNid]:
        """All of them."""
        return [RoomNid(row[0]) for row in self._database.rows("SELECT room_nid FROM wanted_history")]

    def add(self, room: RoomNid) -> None:
        """A room was entered."""
        self._writer.submit(lambda transaction: transaction.add(self._insert, (room,)))

    def remove(self, room: RoomNid) -> None:
        """What there was, or the budget allows, is here, or nobody has it."""
        self._writer.submit(
            lambda transaction: transaction.add("DELETE FROM wanted_history WHERE room_nid = ?", (room,))
        )
