"""The one writer of this process: it applies waiting jobs in groups and commits once a group.

A job's *apply* runs inside the writer's transaction: it may read and write the database and the overlay, and nothing
else; no hook, no network, no wait. What has to be read or resolved first is the caller's *prepare*, outside. It may
be called more than once: a group is applied again where one of its jobs fails late, after a deadlock, or on a new
connection.

A job that raises is dropped. If it had already changed anything (it is *dirty*) the group is rolled back and the others
are applied again; jobs should therefore check first and write last. Memory changes only after the commit, through
`Transaction.after_commit`; until then later jobs of the group see earlier ones through `Transaction.overlay`.
"""

from __future__ import annotations

import logging
import random
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import gevent
from gevent.event import AsyncResult, Event

from core.errors import Unavailable
from core.ids import Position
from core.storage.committing import Committer
from core.storage.connections import Connection
from core.storage.database import Database
from core.storage.failures import Failure, classify, unavailable
from core.storage.group_marks import GroupMarks
from core.storage.log import LogTail
from core.storage.transaction import Transaction, advance, begin, roll_back
from core.storage.writer_figures import WriterFigures

__all__ = ["Transaction", "Writer", "WriterFigures", "advance"]

T = TypeVar("T")
logger = logging.getLogger(__name__)

GROUP_SECONDS = 0.02
"""A group takes no further jobs after this time."""
GROUP_JOBS = 200
"""A group takes no more jobs than this."""
WAITING_JOBS = 10_000
"""Beyond this many waiting jobs, new ones are refused with `Unavailable`."""
GROUP_TRIES = 6
"""How often a group is applied before its jobs are told of deadlocks or lost connections."""
RECONNECT_SECONDS = 10.0
"""How long jobs wait for a database that cannot be reached."""
HOLD_SECONDS = 0.005
"""After writing this long on SQLite, whose calls never yield, the writer lets the hub see to its sockets."""
COMPLAINT_SECONDS = 30.0
"""How often the log says that the database refuses what is written."""
CLOSE_SECONDS = 10.0
"""How long `close` waits for what has been submitted."""
ANNOUNCED_SECONDS = 2.0
"""How long a caller whose write is durable waits for its lines to be announced in this process."""


class _Job(Generic[T]):
    __slots__ = ("apply", "is_abandoned", "order", "position", "result")

    def __init__(self, apply: Callable[[Transaction], T], order: int) -> None:
        self.apply = apply
        self.order = order
        self.result: AsyncResult = AsyncResult()
        self.is_abandoned = False
        self.position = Position(0)
        """The log's end after its group."""

    def fail(self, error: BaseException) -> None:
        """Tell the caller, unless it was told already."""
        if not self.result.ready():
            self.result.set_exception(error)


@dataclass(slots=True)
class _Group:
    """Jobs that were applied, with what they returned."""

    transaction: Transaction
    done: list[tuple[_Job[Any], Any]]
    position: Position


class _Spoiled(Exception):
    """A job failed after it had written: the group must be applied again without it."""

    def __init__(self, job: _Job[Any], error: Exception) -> None:
        super().__init__(str(error))
        self.job = job
        self.error = error


class _Unattributed(Exception):
    """Queued rows were refused, and whose they are is not known: the jobs must be applied one by one."""


class Writer:
    """Applies jobs. `submit` may be called from any greenlet, which then waits holding no connection."""

    def __init__(self, database: Database, tail: LogTail, hold: Callable[[Connection], None] | None = None) -> None:
        """`hold` makes each connection that replaces a lost one the database's owner again, or raises."""
        self.figures = WriterFigures()
        self._database = database
        self._tail = tail
        self._hold = hold
        self._waiting: deque[_Job[Any]] = deque()
        self._work = Event()
        self._connection: Connection | None = None
        self._committer = Committer()
        self._marks = GroupMarks(database.dialect)
        self._greenlet: gevent.Greenlet | None = None
        self._closing = False
        self._held_s = 0.0
        self._complained_at = float("-inf")

    @property
    def waiting(self) -> int:
        """How many jobs wait for their group."""
        return len(self._waiting)

    def start(self, connection: Connection | None = None) -> None:
        """Open a connection, or take this one, and begin to apply jobs. Raises the driver's error."""
        self._connection = connection or self._database.open_writing()
        self._committer.take(self._connection)
        self._greenlet = gevent.spawn(self._run)

    def submit(self, apply: Callable[[Transaction], T], order: int = 0) -> T:
        """Apply in the next group and return what `apply` returned, once it is durable and this process has heard of it.

        Jobs of a group are applied in `order` (a room's nid), first come first within one. Raises what `apply` raised,
        or `Unavailable` where the database cannot take it now. A caller that is killed before its turn takes it back.
        """
        if gevent.getcurrent() is self._greenlet:
            raise RuntimeError(
                "a job or an after_commit callback must not submit another job: it would wait for itself"
            )
        if self._closing or self._greenlet is None:
            raise Unavailable("The server is stopping; try again.")
        if len(self._waiting) >= WAITING_JOBS:
            self.figures.refused_jobs += 1
            raise Unavailable(f"More than {WAITING_JOBS} writes are waiting for the database; try again.")
        job: _Job[T] = _Job(apply, order)
        self._waiting.append(job)
        self._work.set()
        try:
            value: T = job.result.get()
        finally:
            job.is_abandoned = True
        self._tail.wait_for(job.position, ANNOUNCED_SECONDS)  # others' lines may have to be read first
        return value

    def close(self) -> None:
        """Apply what is waiting, then close the connection; what is not done in CLOSE_SECONDS is refused."""
        self._closing = True
        self._work.set()
        if self._greenlet is not None:
            self._greenlet.join(CLOSE_SECONDS)
            self._greenlet.kill()
            self._greenlet = None
        while self._waiting:
            self._waiting.popleft().fail(Unavailable("The server is stopping; try again."))
        if self._connection is not None:
            try:
                self._marks.withdraw(self._connection)
            except Exception:
                logger.debug("The writer's mark stays behind; it is removed later.", exc_info=True)
        self._drop_connection()
        self._committer.close()

    def _run(self) -> None:
        while True:
            self._work.wait()
            self._work.clear()
            while self._waiting:
                self._take_group()
            if self._closing:
                return

    def _take_group(self) -> None:
        gevent.sleep(0)  # those who were just answered, and those just woken, may submit into this same group
        jobs: list[_Job[Any]] = []
        while self._waiting and len(jobs) < GROUP_JOBS:
            job = self._waiting.popleft()
            if not job.is_abandoned:
                jobs.append(job)
        jobs.sort(key=lambda job: job.order)
        began = time.monotonic()
        try:
            self._write(jobs)
        except BaseException as error:
            for job in jobs:
                job.fail(error if isinstance(error, Exception) else Unavailable("The server is stopping; try again."))
            if not isinstance(error, Exception):
                raise
            logger.exception("The writer failed in a way it does not know; the jobs of the group were refused.")
            self._drop_connection()
        finally:
            took = time.monotonic() - began
            self.figures.note_time(took)
        self._committer.copy_if_due(self._connection)
        self._held_s += took
        if self._held_s > HOLD_SECONDS and not self._database.dialect.is_mysql:
            self._held_s = 0.0
            gevent.sleep(0.0001)  # a timer, because the hub looks at its sockets only between rounds of callbacks

    def _write(self, jobs: list[_Job[Any]]) -> None:
        """Apply and commit `jobs`, as often as it takes, and answer each."""
        deadline = time.monotonic() + GROUP_SECONDS
        tries = 0
        while jobs:
            try:
                group = self._apply(jobs, deadline)
                is_committed = self._commit(group, jobs)
            except _Spoiled as spoiled:
                self.figures.replays += 1
                self._fail([spoiled.job], spoiled.error)
                jobs.remove(spoiled.job)
                continue
            except _Unattributed as unattributed:
                self.figures.replays += 1
                if len(jobs) == 1:
                    self._fail(jobs, unattributed.__cause__ or unattributed)
                for job in jobs if len(jobs) > 1 else ():
                    self._write([job])
                return
            except Exception as error:
                tries += 1
                if not self._may_try_again(error, tries):
                    self._complain(error, len(jobs))
                    failure = classify(error)
                    self._fail(jobs, error if failure is Failure.JOB else unavailable(failure))
                    return
                continue
            if is_committed:
                self._waiting.extendleft(reversed(jobs[len(group.done) :]))
                self._answer(group)
                return
            jobs[:] = [job for job in jobs if not job.result.ready()]

    def _apply(self, jobs: list[_Job[Any]], deadline: float) -> _Group:
        """Apply `jobs` until the deadline. Those that fail cleanly are answered and taken out of `jobs`."""
        connection = self._connection or self._reconnect()
        begin(connection, self._database.dialect)
        transaction = Transaction(self._database.dialect, connection)
        group = _Group(transaction, [], self._tail.position)
        try:
            for job in list(jobs):
                if group.done and time.monotonic() > deadline:
                    break
                transaction.is_dirty = False
                try:
                    group.done.append((job, job.apply(transaction)))
                except Exception as error:
                    self._sort_out(job, error, transaction)
                    jobs.remove(job)
                    self._fail([job], error)
                if transaction.flush_error is not None:
                    raise _blame(transaction.flush_error)
            try:
                transaction.flush()
            except Exception as error:
                raise _blame(error) from error
            if transaction.lines:
                group.position = transaction.write_log()
            self._marks.write(connection)
        except BaseException:
            self._roll_back()
            raise
        return group

    def _sort_out(self, job: _Job[Any], error: Exception, transaction: Transaction) -> None:
        """Return where the job alone failed, leaving nothing behind; raise what must happen to the group otherwise."""
        if transaction.flush_error is not None:
            raise _blame(transaction.flush_error) from error
        if classify(error) is not Failure.JOB:
            raise error
        if transaction.is_dirty:
            raise _Spoiled(job, error) from error

    def _commit(self, group: _Group, jobs: list[_Job[Any]]) -> bool:
        """Commit; whether the group is durable. Where the answer was lost, the database is asked once it is back."""
        connection = self._connection
        assert connection is not None, "a group was applied"
        try:
            self._committer.commit(connection)
        except Exception as error:
            if not self._database.dialect.is_mysql or classify(error) is not Failure.LOST:
                self._roll_back()
                raise
            logger.warning("The connection was lost during a commit (%s); looking up whether it took place.", error)
            self._drop_connection()
            return self._look_up(jobs)
        return True

    def _look_up(self, jobs: list[_Job[Any]]) -> bool:
        """Whether the group whose COMMIT got no answer is there. Asks until it is answered; jobs are told earlier."""
        self.figures.looked_up += 1
        asked_since = time.monotonic()
        while True:
            try:
                connection = self._connection or self._reconnect()
                return self._marks.is_written(connection)
            except Exception as error:
                if classify(error) is Failure.JOB and not isinstance(error, Unavailable):
                    raise
                self._drop_connection()
                if time.monotonic() - asked_since > RECONNECT_SECONDS:
                    self._fail(jobs, unavailable(Failure.LOST))
                gevent.sleep(0.2)

    def _answer(self, group: _Group) -> None:
        self.figures.note_group(len(group.done))
        for callback in group.transaction.callbacks:
            self._call_back(callback)
        self._tail.feed(group.transaction.lines, group.position)
        for job, value in group.done:
            job.position = group.position
            if not job.result.ready():
                job.result.set(value)

    def _fail(self, jobs: list[_Job[Any]], error: BaseException) -> None:
        self.figures.failed_jobs += len(jobs)
        for job in jobs:
            job.fail(error)

    def _call_back(self, callback: Callable[[], None]) -> None:
        try:
            callback()
        except Exception:
            self.figures.failed_callbacks += 1
            logger.exception("A callback after a commit failed; what it keeps in memory may be stale.")

    def _complain(self, error: Exception, jobs: int) -> None:
        """Log that the database refuses groups, now and then: its disk may be the log's as well."""
        now = time.monotonic()
        if now - self._complained_at > COMPLAINT_SECONDS:
            self._complained_at = now
            logger.error("The database did not take a group of %d writes: %s", jobs, error)

    def _may_try_again(self, error: Exception, tries: int) -> bool:
        failure = classify(error)
        if failure is Failure.LOST:
            self._drop_connection()
        if failure not in {Failure.LOST, Failure.CONFLICT} or tries >= GROUP_TRIES:
            return False
        if not self._database.dialect.is_mysql:
            return False  # SQLite's lock was waited for already
        if failure is Failure.CONFLICT:
            self.figures.conflicts += 1
            gevent.sleep(random.uniform(0.001, 0.004) * 2**tries)
        return True

    def _reconnect(self) -> Connection:
        """A new connection, tried for RECONNECT_SECONDS. Raises Unavailable."""
        give_up = time.monotonic() + RECONNECT_SECONDS
        self.figures.reconnects += 1
        while True:
            try:
                self._connection = self._database.open_writing()
                self._committer.take(self._connection)
                if self._hold is not None:
                    self._hold(self._connection)
                return self._connection
            except Exception as error:
                self._drop_connection()
                if time.monotonic() > give_up:
                    raise unavailable(Failure.LOST) from error
                gevent.sleep(0.1)

    def _roll_back(self) -> None:
        if self._connection is not None:
            try:
                roll_back(self._connection)
            except Exception:  # a connection that cannot even do this is of no use
                self._drop_connection()

    def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except Exception:
                logger.debug("A lost connection would not even close.", exc_info=True)


def _blame(error: Exception) -> Exception:
    """What refused queued rows mean for the group: whose they are is unknown, unless the database is at fault."""
    if classify(error) is not Failure.JOB:
        return error
    unattributed = _Unattributed(str(error))
    unattributed.__cause__ = error
    return unattributed
