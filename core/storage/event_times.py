"""Events of a room by the time they claim to be from, for jumping to a date."""

from __future__ import annotations

from core.ids import EventNid, RoomNid
from core.storage.database import Database
from core.storage.events import HIDDEN


class EventTimeStore:
    """Finds events by `origin_server_ts`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def nearest(
        self, room: RoomNid, ts: int, after: EventNid, backwards: bool, limit: int
    ) -> list[tuple[EventNid, int]]:
        """(number, time) of visible events from (`ts`, `after`) on, exclusive, nearest first."""
        compare, order = ("<", "DESC") if backwards else (">", "ASC")
        return self._database.rows(
            "SELECT event_nid, origin_server_ts FROM events WHERE room_nid = ? "
            f"AND (origin_server_ts {compare} ? OR (origin_server_ts = ? AND event_nid {compare} ?)) "
            f"AND origin_server_ts {compare}= ? AND flags & {int(HIDDEN)} = 0 "
            f"ORDER BY origin_server_ts {order}, event_nid {order} LIMIT ?",
            (room, ts, ts, after, ts, limit),
        )
