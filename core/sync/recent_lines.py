"""The newest lines of the log, by room, in memory: what an incremental sync needs to know without asking the database.

Kept only for rooms that somebody here watches. It answers either completely or not at all: a question that reaches
further back than what is kept is left to the log itself.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator

from core.ids import RoomNid
from core.storage.log import Kind, Line

LINES_PER_ROOM = 60
"""A room keeps at most this many lines."""
LINES_IN_ALL = 200_000
"""All rooms together keep at most this many lines, about 30 MB; the room that was quiet for longest goes first."""

RecentLine = tuple[int, Kind, int]
"""(position, kind, reference)."""


class _Room:
    __slots__ = ("floor", "lines")

    def __init__(self, floor: int) -> None:
        self.floor = floor
        self.lines: deque[RecentLine] = deque()


class RecentLines:
    """Lines of watched rooms, newest at the end."""

    def __init__(self, per_room: int = LINES_PER_ROOM, in_all: int = LINES_IN_ALL) -> None:
        self._per_room = per_room
        self._in_all = in_all
        self._count = 0
        self._rooms: OrderedDict[RoomNid, _Room] = OrderedDict()

    def watch(self, room: RoomNid, position: int) -> None:
        """Keep the room's lines past `position` from now on; no change where they are kept already."""
        if room not in self._rooms:
            self._rooms[room] = _Room(position)

    def unwatch(self, room: RoomNid) -> None:
        """Let go of a room."""
        found = self._rooms.pop(room, None)
        if found is not None:
            self._count -= len(found.lines)

    def add(self, room: RoomNid, line: Line) -> None:
        """Keep a new line, if the room is watched."""
        found = self._rooms.get(room)
        if found is None:
            return
        self._rooms.move_to_end(room)
        found.lines.append((line.position, line.kind, line.reference))
        self._count += 1
        if len(found.lines) > self._per_room:
            found.floor = found.lines.popleft()[0]
            self._count -= 1
        while self._count > self._in_all:
            _, quiet = self._rooms.popitem(last=False)
            self._count -= len(quiet.lines)

    def newest_first(self, room: RoomNid, since: int, upto: int) -> Iterator[RecentLine] | None:
        """The room's lines in (since, upto], newest first; None where not all of them are kept."""
        found = self._rooms.get(room)
        if found is None or since < found.floor:
            return None
        return self._between(found, since, upto)

    def __len__(self) -> int:
        return self._count

    @staticmethod
    def _between(room: _Room, since: int, upto: int) -> Iterator[RecentLine]:
        for line in reversed(room.lines):
            if line[0] <= since:
                return
            if line[0] <= upto:
                yield line
