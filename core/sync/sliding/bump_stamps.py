"""Bump stamps: the position of a room's newest event that moves it up in a client's list of rooms.

A room is looked up once; from then on the log's tail says. Proposal: MSC4186, `bump_stamp`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection

from core.graph.events import EventReader
from core.ids import EventNid, RoomNid
from core.storage.database import Database
from core.storage.interning import Interner
from core.storage.log import Kind, Line
from core.storage.sql import marks

BUMP_TYPES = (
    "m.room.create",
    "m.room.message",
    "m.room.encrypted",
    "m.sticker",
    "m.call.invite",
    "m.poll.start",
    "org.matrix.msc3381.poll.start",
    "m.beacon_info",
    "org.matrix.msc3672.beacon_info",
)
MAX_ROOMS = 100_000
"""Of so many rooms the stamp is kept in memory."""


class BumpStamps:
    """The stamps of rooms. `follow` is a follower of the log."""

    followed = (Kind.EVENT,)
    """The kinds of lines it hears of."""

    def __init__(self, database: Database, events: EventReader, texts: Interner) -> None:
        self._database = database
        self._events = events
        self._types = tuple(texts.nids(BUMP_TYPES).values())
        self._stamps: OrderedDict[RoomNid, int] = OrderedDict()
        self._doubts = 0
        """Grows when a stamp that is just being looked up may be too old."""
        self._sql = (
            "SELECT r.room_nid, (SELECT l.position FROM log l JOIN events e ON e.event_nid = l.reference "
            f"AND e.type_nid IN ({marks(len(self._types))}) WHERE l.subject = r.room_nid AND l.kind = {int(Kind.EVENT)} "
            "ORDER BY l.position DESC LIMIT 1) FROM rooms r WHERE r.room_nid IN ({})"
        )

    def follow(self, lines: list[Line]) -> None:
        """New lines: what is at hand of their events moves stamps; of what is not, the room is looked up again."""
        for line in lines:
            if line.kind is not Kind.EVENT:
                continue
            room, stored = RoomNid(line.subject), self._events.in_memory(EventNid(line.reference))
            if stored is None:
                self._doubts += 1
                self._stamps.pop(room, None)
            elif stored.type_nid in self._types:
                self._keep(room, line.position)

    def of(self, rooms: Collection[RoomNid]) -> dict[RoomNid, int]:
        """The stamp of each room; 0 for one without such an event. Cost: a query for each hundreds not in memory."""
        known = self._stamps
        found = {room: known[room] for room in rooms if room in known}
        missing = [room for room in rooms if room not in found]
        if missing:
            doubts = self._doubts
            for room, stamp in self._database.rows_in(self._sql, missing, before=self._types):
                found[room] = max(stamp or 0, known.get(room, 0))
                if doubts == self._doubts:
                    self._keep(room, found[room])
        return found

    def _keep(self, room: RoomNid, stamp: int) -> None:
        self._stamps[room] = stamp
        self._stamps.move_to_end(room)
        if len(self._stamps) > MAX_ROOMS:
            self._stamps.popitem(last=False)
