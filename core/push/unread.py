"""One user's unread counts in one room, and how they follow from what happens: no database, no clock.

Counts are by thread; `main` is what is in none. A position in `reads` says up to where the user has read, by thread, ''
for the whole room.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from core.events.push_rules import NOTHING
from core.ids import UserNid
from core.push.evaluating import Step, counted
from core.storage.receipts import MAIN, UNTHREADED

Count = tuple[int, int]
"""(notifications, highlights among them)."""
NONE: Count = (0, 0)


@dataclass(slots=True)
class RoomSteps:
    """The newest steps of a room, in order. Steps up to `floor` are not here any more."""

    steps: deque[Step] = field(default_factory=deque)
    floor: int = 0
    revision: int = 0
    """Grows when counts must be made afresh from the database: an event in the past was redacted."""


@dataclass(slots=True)
class Unread:
    """The counts as of `upto`. `is_own`: the user counts by rows of their own."""

    room: RoomSteps
    revision: int
    upto: int
    reads: dict[str, int]
    is_own: bool
    threads: dict[str, Count]

    def follow(self, user: UserNid, steps: Iterable[Step]) -> None:
        """Apply the steps that are newer than `upto`."""
        for step in steps:
            if step.position > self.upto:
                self.upto = step.position
                self._apply(user, step)

    def count(self, thread: str, count: Count, position: int) -> None:
        """Add what something at `position` counts, unless it has been read."""
        if position > self.read_upto(thread):
            before = self.threads.get(thread, NONE)
            self.threads[thread] = (before[0] + count[0], before[1] + count[1])

    def read_upto(self, thread: str) -> int:
        """Up to where the user has read a thread."""
        return max(self.reads.get(UNTHREADED, 0), self.reads.get(thread, 0))

    @property
    def main(self) -> Count:
        """What is unread in no thread."""
        return _sane(self.threads.get(MAIN, NONE))

    @property
    def total(self) -> Count:
        """What is unread in the room."""
        counts = [_sane(count) for count in self.threads.values()]
        return (sum(count[0] for count in counts), sum(count[1] for count in counts))

    def in_threads(self) -> dict[str, Count]:
        """What is unread in each thread that has anything unread."""
        return {root: one for root, count in self.threads.items() if root != MAIN and (one := _sane(count)) != NONE}

    def _apply(self, user: UserNid, step: Step) -> None:
        if user in step.switched:
            self.is_own = True
        if step.sender_nid == user:
            if step.marks_read:
                self.reads[step.thread] = max(self.reads.get(step.thread, 0), step.position)
                self.threads.pop(step.thread, None)
            return
        count = counted(step.special.get(user, NOTHING if self.is_own else step.common))
        if count != NONE:
            self.count(step.thread, count, step.position)


def _sane(count: Count) -> Count:
    """Never below nothing: rows beyond the bounds of what is kept may be missing on either side."""
    return (max(count[0], 0), max(count[1], 0))
