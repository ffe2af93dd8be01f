"""How far each other server has been told of events, and how far the log was looked through for them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from core.ids import EventNid, RoomNid, TextNid
from core.storage.database import Database
from core.storage.log import Kind
from core.storage.tables import BigIntegerField, Table
from core.storage.writer import Transaction, Writer

ROUTER = TextNid(0)
"""The row of the position up to which destinations were found out; no server has this number."""


class OutboundDestination(Table):
    """One server: everything up to `position` was delivered. `sending` is the same, for earlier releases."""

    server_nid = BigIntegerField(primary_key=True)
    position = BigIntegerField()
    sending = BigIntegerField()

    class Meta:
        table_name = "outbound_destinations"


@dataclass(frozen=True, slots=True)
class Told:
    """A row."""

    server_nid: TextNid
    position: int
    sending: int


class OutboundDestinationStore:
    """Cursors of senders."""

    def __init__(self, database: Database, writer: Writer) -> None:
        self._database = database
        self._writer = writer
        self._set = database.dialect.upsert(OutboundDestination)

    def all(self) -> list[Told]:
        """Every row, the router's included."""
        return [
            Told(TextNid(nid), position, sending)
            for nid, position, sending in self._database.rows(
                "SELECT server_nid, position, sending FROM outbound_destinations"
            )
        ]

    def put(self, rows: Collection[Told]) -> None:
        """Write rows; durable when it returns."""
        self._writer.submit(lambda transaction: self.put_in(transaction, rows))

    def put_in(self, transaction: Transaction, rows: Collection[Told]) -> None:
        """Write rows in the caller's transaction."""
        transaction.add_all(self._set, [(row.server_nid, row.position, row.sending) for row in rows])

    def events_for(self, server: TextNid, since: int, upto: int, limit: int) -> list[tuple[int, EventNid]]:
        """(position, event) in (since, upto] of the rooms the server was in when they came, oldest first."""
        rows = self._database.rows(
            "SELECT l.position, l.reference FROM log l "
            "JOIN room_servers s ON s.room_nid = l.subject AND s.server_nid = ? "
            "JOIN events e ON e.event_nid = l.reference AND e.main_before >= s.from_index "
            "AND e.main_before <= s.to_index "
            "WHERE l.kind = ? AND l.position > ? AND l.position <= ? ORDER BY l.position LIMIT ?",
            (server, int(Kind.EVENT), since, upto, limit),
        )
        return [(position, EventNid(nid)) for position, nid in rows]

    def newest_by_room(self, server: TextNid, since: int, upto: int) -> dict[RoomNid, int]:
        """The position of the newest event in (since, upto] of each room the server was in when it came."""
        rows = self._database.rows(
            "SELECT l.subject, MAX(l.position) FROM log l "
            "JOIN room_servers s ON s.room_nid = l.subject AND s.server_nid = ? "
            "JOIN events e ON e.event_nid = l.reference AND e.main_before >= s.from_index "
            "AND e.main_before <= s.to_index "
            "WHERE l.kind = ? AND l.position > ? AND l.position <= ? GROUP BY l.subject",
            (server, int(Kind.EVENT), since, upto),
        )
        return {RoomNid(room): position for room, position in rows}

    def latest_of(self, room: RoomNid, since: int, upto: int, limit: int) -> list[EventNid]:
        """The latest events of a room in (since, upto], oldest first."""
        rows = self._database.rows(
            "SELECT reference FROM log WHERE subject = ? AND kind = ? AND position > ? AND position <= ? "
            "ORDER BY position DESC LIMIT ?",
            (room, int(Kind.EVENT), since, upto, limit),
        )
        return [EventNid(row[0]) for row in reversed(rows)]
