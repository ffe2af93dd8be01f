"""The newest changes of device lists and of rooms' states, in memory: most syncs have to look at neither.

It answers completely or not at all: a question that reaches further back than what is kept is left to the database.
"""

from __future__ import annotations

from collections import deque

from core.ids import Position, RoomNid, UserNid
from core.storage.log import Kind, Line

KEPT_LINES = 20_000
"""How many lines are kept, at most about 3 MB."""


class RecentChanges:
    """Follows the tail of the log: `tail.follow(recent.follow, recent.followed)`. `position` is where the tail stood then."""

    followed = (Kind.DEVICE_LIST, Kind.STATE_DELTA)
    """The kinds of lines it hears of."""

    def __init__(self, position: Position, kept: int = KEPT_LINES) -> None:
        self._floor: int = position
        self._kept = kept
        self._lines: deque[Line] = deque()

    def follow(self, lines: list[Line]) -> None:
        """Take note of committed lines."""
        for line in lines:
            if line.kind is Kind.DEVICE_LIST or line.kind is Kind.STATE_DELTA:
                self._lines.append(line)
        while len(self._lines) > self._kept:
            self._floor = self._lines.popleft().position

    def lines(self, since: int, upto: int) -> list[tuple[UserNid, UserNid]] | None:
        """(subject, reference) of the DEVICE_LIST lines in (since, upto], None where not all are known."""
        if since < self._floor:
            return None
        return [
            (UserNid(line.subject), UserNid(line.reference))
            for line in self._past(since)
            if line.kind is Kind.DEVICE_LIST and line.position <= upto
        ]

    def rooms(self, since: int) -> set[RoomNid] | None:
        """The rooms whose state changed after `since`, None where not all are known."""
        if since < self._floor:
            return None
        return {RoomNid(line.subject) for line in self._past(since) if line.kind is Kind.STATE_DELTA}

    def _past(self, since: int) -> list[Line]:
        found = []
        for line in reversed(self._lines):
            if line.position <= since:
                break
            found.append(line)
        return found
