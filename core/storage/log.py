"""The log: one line for everything durable that a client or a server can wait for.

Lines are numbered by the server's one sequence of positions, in commit order. Rows elsewhere carry no position; a line
points at them. Whoever follows (sync, senders, pushers, plugins) is a consumer with a cursor and asks for the lines
past it. Event and delta lines live as long as what they point at; of other kinds only the newest line per key is kept.
"""

from __future__ import annotations

import logging
from bisect import bisect_right
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

from core.ids import Position
from core.storage.database import Database
from core.storage.log_gaps import LogGaps
from core.storage.progress import Progress
from core.storage.sql import marks
from core.storage.tables import BigIntegerField, MatrixStringField, SmallIntegerField, Table

logger = logging.getLogger(__name__)

REMEMBERED_LINES = 1000
"""So many of the newest lines are kept in memory, and up to twice as many for a while."""


class Kind(IntEnum):
    """What a line speaks of. The comment says what `subject` and `reference` are."""

    EVENT = 1  # room nid, event nid: a live accepted event, shown in timelines
    STATE_DELTA = 2  # room nid, state delta nid: the current state of the room changed
    OUT_OF_BAND = 3  # user nid, event nid: an invite, knock or their rejection, in a room we are not in
    BACKFILL = 4  # room nid, event nid: history that arrived late; sync and senders ignore it
    REDACTED = 5  # room nid, nid of the event whose stored form was thinned
    ACCOUNT_DATA = 10  # user nid, account data nid; newest per key
    ROOM_ACCOUNT_DATA = 11  # user nid, room account data nid; newest per key
    RECEIPT = 12  # room nid, receipt nid; newest per key
    PRIVATE_RECEIPT = 13  # user nid, receipt nid; newest per key
    TO_DEVICE = 14  # user nid, nid of the last message it speaks of; see core.storage.to_device
    DEVICE_LIST = 15  # user nid, user nid; another reference is for the subject's own devices alone; newest per key
    ONE_TIME_KEYS = 16  # user nid, device nid; newest per device
    PROFILE = 17  # user nid, user nid; newest per user
    PUSH_RULES = 18  # user nid, user nid; newest per user
    NOTIFICATION_COUNTS = 19  # user nid, room nid; newest per room
    ROOM_FORGOTTEN = 20  # user nid, room nid; newest per room
    ALIAS = 21  # room nid, room nid; newest per room
    USER_STATUS = 22  # user nid, user nid: created, deactivated, locked, suspended; newest per user
    DIRECTORY = 23  # room nid, room nid: published or not; newest per room
    THREAD_SUBSCRIPTION = 24  # user nid, subscription nid; newest per subscription
    PLUGIN = 100  # text nid naming the plugin's kind, reference of its own; newest per key


NEWEST_PER_KEY = frozenset(
    {
        Kind.ACCOUNT_DATA,
        Kind.ROOM_ACCOUNT_DATA,
        Kind.RECEIPT,
        Kind.PRIVATE_RECEIPT,
        Kind.DEVICE_LIST,
        Kind.ONE_TIME_KEYS,
        Kind.PROFILE,
        Kind.PUSH_RULES,
        Kind.NOTIFICATION_COUNTS,
        Kind.ROOM_FORGOTTEN,
        Kind.ALIAS,
        Kind.USER_STATUS,
        Kind.DIRECTORY,
        Kind.THREAD_SUBSCRIPTION,
        Kind.PLUGIN,
    }
)
"""Kinds of which the log keeps one line per (kind, subject, reference): the newest. The others live as long as what
they point at, and whoever deletes that deletes them (core.storage.compaction)."""


@dataclass(slots=True)
class Line:
    """One line. `position` is set when its group commits, and is 0 before."""

    kind: Kind
    subject: int
    reference: int
    replaces: bool = False
    """Whether it takes the place of earlier lines with the same kind, subject and reference."""
    position: Position = field(default=Position(0))


class LogLine(Table):
    """The log as stored."""

    position = BigIntegerField(primary_key=True)
    kind = SmallIntegerField()
    subject = BigIntegerField()
    reference = BigIntegerField()

    class Meta:
        table_name = "log"
        indexes = ((("subject", "kind", "position"), False), (("reference", "kind"), False))


class Sequence(Table):
    """Counters that are advanced inside a transaction. `log` is the one all positions come from."""

    name = MatrixStringField(64, primary_key=True)
    value = BigIntegerField()

    class Meta:
        table_name = "sequences"


class LogReader:
    """What the log says. Positions are inclusive at the upper end and exclusive at the lower: (since, upto]."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._gaps = LogGaps(database)

    def is_of_a_lost_future(self, position: int) -> bool:
        """Whether the position lies where no opening of this database has given any out."""
        return self._gaps.hold(position)

    def tip(self) -> Position:
        """The position of the last committed line, or of a reserved gap after a change of owner."""
        return Position(self._database.value("SELECT value FROM sequences WHERE name = 'log'") or 0)

    def lines(self, since: int, upto: int, kinds: Collection[Kind] = (), limit: int = 1000) -> list[Line]:
        """Lines in position order, of some kinds or all."""
        wanted = f" AND kind IN ({marks(len(kinds))})" if kinds else ""
        rows = self._database.rows(
            f"SELECT kind, subject, reference, position FROM log WHERE position > ? AND position <= ?{wanted} "
            "ORDER BY position LIMIT ?",
            (since, upto, *kinds, limit),
        )
        return [Line(Kind(kind), subject, reference, False, position) for kind, subject, reference, position in rows]

    def of_subject(
        self, kind: Kind, subject: int, since: int, upto: int, limit: int, newest_first: bool = False
    ) -> list[tuple[Position, int]]:
        """(position, reference) of one subject's lines of one kind; at most `limit`, from whichever end is asked."""
        order = "DESC" if newest_first else "ASC"
        rows = self._database.rows(
            "SELECT position, reference FROM log WHERE subject = ? AND kind = ? AND position > ? AND position <= ? "
            f"ORDER BY position {order} LIMIT ?",
            (subject, kind, since, upto, limit),
        )
        return [(position, reference) for position, reference in rows]

    def newest_of_subjects(
        self, kind: Kind, subjects: Collection[int], upto: int, limit: int
    ) -> dict[int, list[tuple[Position, int]]]:
        """As `of_subject`, newest first, for many subjects at once."""
        sql = (
            "SELECT subject, position, reference FROM log WHERE subject = ? AND kind = ? AND position <= ? "
            "ORDER BY position DESC LIMIT ?"
        )
        found: dict[int, list[tuple[Position, int]]] = {subject: [] for subject in subjects}
        for subject, position, reference in self._database.union(
            [(sql, (subject, kind, upto, limit)) for subject in found]
        ):
            found[subject].append((position, reference))
        for lines in found.values():
            lines.sort(reverse=True)
        return found

    def positions_of(self, kind: Kind, references: Collection[int]) -> dict[int, Position]:
        """The position of each reference that has a line of this kind."""
        rows = self._database.rows_in(
            "SELECT reference, position FROM log WHERE reference IN ({}) AND kind = ?", references, after=(kind,)
        )
        return dict(rows)


class Follower(NamedTuple):
    """Who is told of lines. See `LogTail.follow`."""

    notice: Callable[[list[Line]], None]
    kinds: frozenset[Kind]
    passed: Callable[[Position, Position], None] | None


class LogTail:
    """Tells this process's followers of lines in position order, each once, right after they are committed.

    A single process is fed by its own writer. With several, each polls and is woken (core.storage.tailing).
    """

    def __init__(self, position: Position) -> None:
        self._progress = Progress(position)
        self._followers: list[Follower] = []
        self._newest: list[Line] = []
        """The lines past `_floor`, for those who are nearly up to date."""
        self._floor = position

    @property
    def position(self) -> Position:
        """Up to where everything has been announced."""
        return self._progress.position

    def follow(
        self,
        notice: Callable[[list[Line]], None],
        kinds: Collection[Kind] = (),
        passed: Callable[[Position, Position], None] | None = None,
    ) -> None:
        """Call `notice(lines)` for each batch from now on that has lines of these kinds, or for every one.

        Where it has none, `passed(since, upto)` is called: who had followed up to `since` has now followed up to `upto`.
        Both must be quick and must not wait.
        """
        self._followers.append(Follower(notice, frozenset(kinds), passed))

    def unfollow(self, notice: Callable[[list[Line]], None]) -> None:
        """Stop calling this follower."""
        self._followers = [one for one in self._followers if one.notice != notice]

    def feed(self, lines: list[Line], position: Position) -> None:
        """Announce committed lines, of which `position` is the last. A follower that raises is logged, and kept."""
        if lines:
            self._remember(lines)
            kinds = {line.kind for line in lines}
            for follower in self._followers:
                try:
                    if not follower.kinds or not follower.kinds.isdisjoint(kinds):
                        follower.notice(lines)
                    elif follower.passed is not None:
                        follower.passed(self.position, position)
                except Exception:
                    logger.exception("A follower of the log failed; what it keeps in memory may be stale.")
        self._progress.reach(position)

    def lines(self, log: LogReader, since: int, upto: int, kinds: Collection[Kind], limit: int) -> list[Line]:
        """As `log.lines`, from memory where that reaches back to `since`.

        There, lines are still to be found that newer ones have taken the place of.
        """
        if since < self._floor:
            return log.lines(since, upto, kinds, limit)
        first = bisect_right(self._newest, since, key=_position_of)
        return [line for line in self._newest[first:] if line.kind in kinds and line.position <= upto][:limit]

    def _remember(self, lines: list[Line]) -> None:
        self._newest += lines
        if len(self._newest) > 2 * REMEMBERED_LINES:
            self._floor = self._newest[-REMEMBERED_LINES - 1].position
            del self._newest[:-REMEMBERED_LINES]

    def wait_for(self, position: int, timeout_s: float) -> bool:
        """Wait until lines up to `position` have been announced here; whether they were, in that time."""
        return self._progress.wait_for(position, timeout_s)


def _position_of(line: Line) -> int:
    return line.position
