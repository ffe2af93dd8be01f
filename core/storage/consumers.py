"""Durable consumers of the log: whoever derives data or tells somebody else, each with a cursor of its own.

A consumer is handed every line of its kinds once it is durable, in order, in batches, at least once. What it writes
goes into the transaction that moves its cursor, so its own data is made exactly once. Where it wrote nothing, or the
lines were of no interest, the cursor moves in memory and goes on record later, with everybody's (core.storage.late_notes).
One that fails is tried again, later and later; nothing is skipped, and nobody else waits for it. One that follows state
deltas, and whose cursor stands below the log's horizon, is asked to derive its data afresh."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from functools import partial
from typing import Protocol

import gevent
from gevent.event import Event

from core.errors import Unavailable
from core.ids import Position
from core.storage.compaction import NEEDED_BY_CONSUMERS, LogKeeper
from core.storage.cursors import CursorStore, LeaseLost
from core.storage.late_notes import LateNotes
from core.storage.log import Kind, Line, LogReader, LogTail
from core.storage.progress import Progress
from core.storage.transaction import Transaction
from core.storage.writer import Writer

logger = logging.getLogger(__name__)

LINES_PER_BATCH = 500
FIRST_RETRY_SECONDS = 1.0
LONGEST_RETRY_SECONDS = 300.0
STOP_SECONDS = 5.0

Apply = Callable[[Transaction], None]


def only_the_cursor(transaction: Transaction) -> None:
    """For `handle` to return where nothing is left to write, and yet the batch should rarely come a second time."""


class Consumer(Protocol):
    """Who follows the log durably."""

    @property
    def name(self) -> str:
        """What its cursor is filed under; never changes."""

    @property
    def kinds(self) -> Collection[Kind]:
        """The kinds it wants."""

    def handle(self, lines: list[Line]) -> Apply | None:
        """Deal with a batch; it may wait. What it returns is applied together with the cursor's move.

        None where the batch may come again, if the server is killed within seconds, without doing anything twice.
        """

    def resynchronise(self, upto: Position) -> Apply | None:
        """Derive everything afresh from the present rows: lines up to `upto` were dropped unseen."""


class ConsumerRunner:
    """Runs one consumer in a greenlet of its own, from where its cursor stands."""

    def __init__(
        self,
        consumer: Consumer,
        log: LogReader,
        keeper: LogKeeper,
        tail: LogTail,
        writer: Writer,
        cursors: CursorStore,
        notes: LateNotes,
        fence: int,
        from_the_beginning: bool = True,
        settle_s: float = 0.0,
        lines_per_batch: int = LINES_PER_BATCH,
    ) -> None:
        """`fence` is that of the lease under which it runs; a new consumer begins with the log, or at its end.

        It lets new lines gather for `settle_s` before it takes them, for consumers whom nobody waits for. A batch has
        `lines_per_batch` lines at most; the cursor moves after each.
        """
        self.consumer = consumer
        self.failures = 0
        self._log, self._keeper, self._tail, self._writer, self._cursors = log, keeper, tail, writer, cursors
        self._notes, self._fence = notes, fence
        self._from_the_beginning = from_the_beginning
        self._written = Position(0)
        self._is_lost = False
        self._progress = Progress(Position(0))
        self._has_work = Event()
        self._stopping = False
        self._settle_s = settle_s
        self._lines_per_batch = lines_per_batch
        self._needs_every_line = not NEEDED_BY_CONSUMERS.isdisjoint(consumer.kinds)
        self._is_stopping = Event()
        self._greenlet: gevent.Greenlet | None = None

    def start(self) -> None:
        """Begin, or resume."""
        found = self._cursors.find(self.consumer.name)
        if found is None:
            found = Position(0) if self._from_the_beginning else self._tail.position
            start = found
            self._writer.submit(lambda transaction: self._cursors.start(transaction, self.consumer.name, start))
        self._written = found
        self._progress.reach(found)
        self._tail.follow(self._notice, self.consumer.kinds, self._passed)
        self._notes.follow(self._unnoted)
        self._has_work.set()
        self._greenlet = gevent.spawn(self._run)

    def stop(self) -> None:
        """Finish the batch at hand, for STOP_SECONDS at most; a batch cut short is handled again after the restart."""
        self._stopping = True
        self._is_stopping.set()
        self._has_work.set()
        if self._greenlet is not None:
            self._tail.unfollow(self._notice)
            self._greenlet.join(STOP_SECONDS)
            self._greenlet.kill()
            self._greenlet = None
            with suppress(Unavailable):  # the disk may be full; the next start looks at these lines once more
                self._notes.unfollow(self._unnoted)

    @property
    def position(self) -> Position:
        """Up to where everything is handled."""
        return self._progress.position

    def wait_for(self, position: int, timeout_s: float) -> bool:
        """Wait until the consumer has passed `position`; whether it did, in that time."""
        if self.position < position:
            self._has_work.set()  # positions without a line are not announced
        return self._progress.wait_for(position, timeout_s)

    def _notice(self, lines: list[Line]) -> None:
        """New lines, some of interest."""
        self._has_work.set()

    def _passed(self, since: Position, upto: Position) -> None:
        """New lines, none of interest: where everything before them is handled there is nothing to look up."""
        if self.position >= since:
            self._progress.reach(upto)
        else:
            self._has_work.set()

    def _run(self) -> None:
        delay = FIRST_RETRY_SECONDS
        while not self._stopping:
            self._has_work.wait()
            if self._settle_s:
                self._is_stopping.wait(self._settle_s)
            self._has_work.clear()
            try:
                self._catch_up()
                delay = FIRST_RETRY_SECONDS
            except LeaseLost as lost:
                logger.warning("The consumer %s stops: %s", self.consumer.name, lost)
                return
            except Exception:
                self.failures += 1
                logger.exception("The consumer %s failed; trying again in %d s.", self.consumer.name, delay)
                self._wait(delay)
                delay = min(2 * delay, LONGEST_RETRY_SECONDS)
                self._has_work.set()

    def _wait(self, seconds: float) -> None:
        """Sleep, but not through a stop."""
        give_up = time.monotonic() + seconds
        while not self._stopping and time.monotonic() < give_up:
            self._has_work.clear()
            self._has_work.wait(give_up - time.monotonic())

    def _catch_up(self) -> None:
        has_work = self.position < self._tail.position
        if self._needs_every_line and has_work and self.position < self._keeper.horizon():
            upto = self._tail.position
            self._move(upto, self.consumer.resynchronise(upto) or only_the_cursor)
        while self.position < self._tail.position and not self._stopping:
            upto = self._tail.position
            lines = self._tail.lines(self._log, self.position, upto, self.consumer.kinds, self._lines_per_batch)
            if len(lines) == self._lines_per_batch:
                upto = lines[-1].position
            apply = self.consumer.handle(lines) if lines else None
            if apply is None:
                self._progress.reach(upto)
            else:
                self._move(upto, apply)

    def _move(self, position: Position, apply: Apply) -> None:
        def job(transaction: Transaction) -> None:
            self._cursors.move(transaction, self.consumer.name, position, self._fence)
            apply(transaction)

        self._writer.submit(job)
        self._is_on_record(position)
        self._progress.reach(position)

    def _unnoted(self) -> Apply | None:
        """Moves the cursor to where it is in memory, unless it is there. One of core.storage.late_notes."""
        position = self.position
        if self._is_lost or position <= self._written:
            return None

        def note(transaction: Transaction) -> None:
            if self._cursors.advance(transaction, self.consumer.name, position, self._fence):
                transaction.after_commit(partial(self._is_on_record, position))
            else:
                transaction.after_commit(self._give_up)

        return note

    def _is_on_record(self, position: Position) -> None:
        self._written = max(self._written, position)

    def _give_up(self) -> None:
        """A later owner has moved the cursor: whoever that is goes on."""
        logger.warning("The consumer %s stops: its cursor was moved by a later owner.", self.consumer.name)
        self._is_lost = self._stopping = True
        self._has_work.set()
