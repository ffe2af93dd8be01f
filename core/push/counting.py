"""The counter: keeps the ledger of unread counts up with the log's tail, and writes what it says, later and many at once.

Syncs ask `ready` before they read counts. It does the outstanding work itself where nobody is at it, so that of many
syncs woken by one event the first evaluates it and none has to wait. Where somebody is at it, they wait for that, so that
counts are right in the answer they belong to; once that took too long, a counter that is behind is hardly waited for,
and what was told of old counts is told again as soon as they are right.
"""

from __future__ import annotations

import logging
import time
from collections import Counter, deque
from collections.abc import Collection, Sequence
from itertools import takewhile

import gevent
from gevent.event import Event

from core.ids import Position, RoomNid, UserNid
from core.push.evaluating import Step, counted
from core.push.ledger import KINDS, Ledger
from core.push.outbox import Outbox
from core.push.patience import Patience
from core.storage.consumers import Apply
from core.storage.cursors import CursorStore
from core.storage.log import Kind, Line, LogReader, LogTail
from core.storage.notification_counts import CountStore
from core.storage.transaction import Transaction
from core.storage.writer import Writer

SETTLE_SECONDS = 0.5
"""Rows are written this long after their events, those of many events together."""
LINES_AT_ONCE = 500
ROWS_BEFORE_TRIM = 500
RETRY_SECONDS = 1.0
MAX_OWED = 100_000

_log = logging.getLogger(__name__)


class NotificationCounter:
    """One per process. Implements core.storage.consumers.Consumer for the writing; `start` before its runner."""

    name = "push.notification_counts"
    kinds: Collection[Kind] = KINDS

    def __init__(
        self,
        ledger: Ledger,
        store: CountStore,
        log: LogReader,
        tail: LogTail,
        cursors: CursorStore,
        writer: Writer,
        outbox: Outbox,
    ) -> None:
        self.ledger = ledger
        self._store = store
        self._log = log
        self._tail = tail
        self._cursors = cursors
        self._writer = writer
        self._outbox = outbox
        self._queue: deque[tuple[Sequence[Line], Position]] = deque()
        """Lines that are to be followed, and up to where there are no others."""
        self._work = Event()
        self._is_live = False
        self._is_stopping = False
        self._owed: set[tuple[UserNid, RoomNid]] = set()
        self._patience = Patience()
        self._rooms = _Often()
        self._users = _Often()
        self._greenlet: gevent.Greenlet | None = None

    def start(self) -> None:
        """Begin to follow, from what was written."""
        self.ledger.begin(self._cursors.find(self.name) or Position(0))
        self._tail.follow(self._feed, KINDS, self._passed)
        self._greenlet = gevent.spawn(self._run)

    def stop(self) -> None:
        """Stop following; what was not written is evaluated again after the restart."""
        self._is_stopping = True
        if self._greenlet is not None:
            self._tail.unfollow(self._feed)
            self._work.set()
            self._greenlet.join()
            self._greenlet = None

    def ready(self, position: int) -> bool:
        """Make sure that counts are up to `position`; whether they are, after as much waiting as is reasonable."""
        is_ready = self.ledger.position >= position or self._work_up_to(position, self._patience.seconds)
        self._patience.note(is_ready)
        return is_ready

    def owe(self, user: UserNid, rooms: Collection[RoomNid]) -> None:
        """Counts of these rooms were told before they were ready: tell them again when they are."""
        if len(self._owed) < MAX_OWED:
            self._owed.update((user, room) for room in rooms)
        self._work.set()

    def handle(self, lines: list[Line]) -> Apply | None:
        """Write what these lines changed."""
        self.ledger.advance(lines)
        return self._writing(lines[-1].position)

    def resynchronise(self, upto: Position) -> Apply | None:
        """Lines are missing: who is in a room and was not seen joining has read it up to here."""
        self.ledger.advance((), upto)
        write = self._writing(upto)

        def apply(transaction: Transaction) -> None:
            if write is not None:
                write(transaction)
            self._store.mark_unmarked(transaction, upto)

        return apply

    def _work_up_to(self, position: int, timeout_s: float) -> bool:
        """Do what has gathered, or wait for who is at it; whether `position` was reached."""
        give_up = time.monotonic() + timeout_s
        try:
            if self._is_live and self.ledger.lock.acquire(timeout=timeout_s):
                try:
                    self._drain()
                finally:
                    self.ledger.lock.release()
        except Exception:
            _log.exception("Could not count what is unread; the counter will try again.")
        return self.ledger.wait_for(position, give_up - time.monotonic())

    def _writing(self, upto: Position) -> Apply | None:
        ledger = self.ledger
        steps = list(takewhile(lambda step: step.position <= upto, ledger.steps))
        marks = [(*key, position) for key, position in ledger.marks.items() if position <= upto]
        redacted = [event for event, position in ledger.redacted.items() if position <= upto]
        readers = [user for user, position in ledger.readers.items() if position <= upto]
        planned = self._outbox.plan(steps, readers)
        if not (marks or redacted or planned or any(step.rows or step.common.notify for step in steps)):
            ledger.wrote(upto, len(steps))
            return None

        def apply(transaction: Transaction) -> None:
            self._write_steps(transaction, steps)
            self._store.put_marks(transaction, marks)
            if redacted:
                self._store.remove_events(transaction, redacted)
            self._outbox.write(transaction, planned)
            transaction.after_commit(lambda: ledger.wrote(upto, len(steps), marks))

        return apply

    def _write_steps(self, transaction: Transaction, steps: Collection[Step]) -> None:
        events = [
            (step.room_nid, step.thread, step.position, step.event_nid, step.sender_nid, counted(step.common)[1])
            for step in steps
            if step.common.notify
        ]
        rows = [
            (user, step.room_nid, step.position, step.thread, step.event_nid, notify, highlight)
            for step in steps
            for user, notify, highlight in step.rows
        ]
        self._store.add_events(transaction, events)
        self._store.add_for_users(transaction, rows)
        for room in self._rooms.count([row[0] for row in events]):
            self._store.trim_room(transaction, RoomNid(room))
        for user in self._users.count([row[0] for row in rows]):
            self._store.trim_user(transaction, UserNid(user))

    def _feed(self, lines: list[Line]) -> None:
        self._queue.append((lines, lines[-1].position))
        self._work.set()

    def _passed(self, since: Position, upto: Position) -> None:
        """Lines that change no counts: most of them, so where nothing waits before them nobody is woken for them."""
        if self.ledger.position >= since:
            self.ledger.pass_over(upto)
        else:
            self._queue.append(((), upto))
            self._work.set()

    def _run(self) -> None:
        upto = self._tail.position
        while not self._is_stopping:
            try:
                if not self._is_live:
                    self._catch_up(upto)
                    self._is_live = True
                self._work.clear()
                with self.ledger.lock:
                    self._drain()
                self._settle_debts()
                self._work.wait()
            except Exception:
                _log.exception("Could not count what is unread; trying again in %d s.", RETRY_SECONDS)
                gevent.sleep(RETRY_SECONDS)

    def _catch_up(self, upto: Position) -> None:
        """Follow the log up to where the tail was when we began to follow that."""
        while self.ledger.position < upto and not self._is_stopping:
            lines = self._log.lines(self.ledger.position, upto, KINDS, LINES_AT_ONCE)
            self.ledger.advance(lines, None if len(lines) == LINES_AT_ONCE else upto)

    def _settle_debts(self) -> None:
        """Have syncs tell what they told too early."""
        if not self._owed:
            return
        owed, self._owed = self._owed, set()

        def apply(transaction: Transaction) -> None:
            for user, room in owed:
                transaction.log(Kind.NOTIFICATION_COUNTS, user, room)

        try:
            self._writer.submit(apply)
        except Exception:
            self._owed |= owed
            raise

    def _drain(self) -> None:
        """Follow what has gathered. The caller holds the lock."""
        while self._queue:
            self.ledger.advance(*self._queue[0])
            self._queue.popleft()
        if self.ledger.position < self._tail.position:
            self.ledger.advance((), self._tail.position)  # positions without a line are not announced


class _Often:
    """Says which keys have come so often since they were last named that their rows should be trimmed."""

    def __init__(self) -> None:
        self._tally: Counter[int] = Counter()

    def count(self, keys: Collection[int]) -> list[int]:
        """Count some keys; those that are due."""
        self._tally.update(keys)
        found = [key for key in set(keys) if self._tally[key] >= ROWS_BEFORE_TRIM]
        for key in found:
            del self._tally[key]
        if len(self._tally) > MAX_OWED:
            self._tally.clear()
        return found
