"""The one writer of this process: it applies waiting jobs in groups and commits once a group.

A job's *apply* runs inside the writer's transaction: it may read and write the database and the overlay, and nothing
else; no hook, no network, no wait. What has to be read or resolved first is the caller's *prepare*, outside.

A job that raises is dropped. If it had already changed anything (it is *dirty*) the group is rolled back and the others
are applied again; jobs should therefore check first and write last. Memory changes only after the commit, through
`Transaction.after_commit`; until then later jobs of the group see earlier ones through `Transaction.overlay`.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from typing import Any, Generic, TypeVar

import gevent
from gevent.event import AsyncResult, Event

from core.ids import Position
from core.storage.connections import Connection, retry_while_locked
from core.storage.database import Database, Row
from core.storage.log import Kind, Line, LogTail
from core.storage.sql import Dialect

T = TypeVar("T")

GROUP_SECONDS = 0.02
"""A group takes no further jobs after this time."""
GROUP_JOBS = 200
"""A group takes no more jobs than this."""


class Transaction:
    """What a job's apply writes through; shared by the jobs of one group."""

    def __init__(self, dialect: Dialect, connection: Connection) -> None:
        self.dialect = dialect
        self.overlay: dict[Hashable, Any] = {}
        """What earlier jobs of this group changed in memory, for later ones to read. Set through `remember`."""
        self.lines: list[Line] = []
        self.is_dirty = False
        """Whether the present job has written anything yet."""
        self._connection = connection
        self._pending: dict[str, list[Sequence[Any]]] = {}
        self._callbacks: list[Callable[[], None]] = []

    def add(self, sql: str, row: Sequence[Any]) -> None:
        """Queue a write; rows of the same statement go out together, at the next flush. The cheap way to write."""
        self.is_dirty = True
        pending = self._pending.get(sql)
        if pending is None:
            self._pending[sql] = [row]
        else:
            pending.append(row)

    def add_all(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Queue many rows of one statement."""
        if rows:
            self.is_dirty = True
            self._pending.setdefault(sql, []).extend(rows)

    def run(self, sql: str, params: Sequence[Any] = ()) -> int:
        """Write at once, after what is queued; the number of rows it matched."""
        self.is_dirty = True
        self.flush()
        cursor = self._connection.cursor()
        cursor.execute(self.dialect.text(sql), params)
        return cursor.rowcount

    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        """Read inside the transaction, after what is queued has been written."""
        self.flush()
        cursor = self._connection.cursor()
        cursor.execute(self.dialect.text(sql), params)
        return list(cursor.fetchall())

    def row(self, sql: str, params: Sequence[Any] = ()) -> Row | None:
        """The first row, or None."""
        found = self.rows(sql, params)
        return found[0] if found else None

    def value(self, sql: str, params: Sequence[Any] = ()) -> Any:
        """The first column of the first row, or None."""
        found = self.rows(sql, params)
        return found[0][0] if found else None

    def remember(self, key: Hashable, value: Any) -> None:
        """Show `value` to later jobs of the group under `key`; gone when the group ends or is applied again."""
        self.is_dirty = True
        self.overlay[key] = value

    def log(self, kind: Kind, subject: int, reference: int, replaces: bool = False) -> Line:
        """Add a line to the log; its position is known once the group has committed."""
        self.is_dirty = True
        line = Line(kind, subject, reference, replaces)
        self.lines.append(line)
        return line

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Call `callback()` once the group is durable, before any follower hears of its lines; it must not raise."""
        self._callbacks.append(callback)

    def flush(self) -> None:
        """Send the queued rows, statement by statement in the order in which each was first used."""
        if not self._pending:
            return
        pending, self._pending = self._pending, {}
        cursor = self._connection.cursor()
        for sql, rows in pending.items():
            cursor.executemany(self.dialect.text(sql), rows)

    def write_log(self) -> Position:
        """Advance the sequence and write the lines: the last two statements of a group. Returns the last position."""
        self.flush()
        count = len(self.lines)
        last = advance(self, "log", count)
        for position, line in enumerate(self.lines, last - count + 1):
            line.position = Position(position)
        replaced = [(line.kind, line.subject, line.reference) for line in self.lines if line.replaces]
        if replaced:
            newest = {(n.kind, n.subject, n.reference): n for n in self.lines if n.replaces}
            self.add_all(
                "DELETE FROM log WHERE reference = ? AND kind = ? AND subject = ?",
                [(reference, kind, subject) for kind, subject, reference in newest],
            )
            self.lines = [n for n in self.lines if not n.replaces or newest[n.kind, n.subject, n.reference] is n]
        self.add_all(
            "INSERT INTO log (position, kind, subject, reference) VALUES (?, ?, ?, ?)",
            [(line.position, line.kind, line.subject, line.reference) for line in self.lines],
        )
        self.flush()
        return Position(last)

    def run_callbacks(self) -> None:
        """Run what `after_commit` was given, in order."""
        for callback in self._callbacks:
            callback()


class _Job(Generic[T]):
    __slots__ = ("apply", "order", "result")

    def __init__(self, apply: Callable[[Transaction], T], order: int) -> None:
        self.apply = apply
        self.order = order
        self.result: AsyncResult = AsyncResult()


class Writer:
    """Applies jobs. `submit` may be called from any greenlet, which then waits holding no connection."""

    def __init__(self, database: Database, tail: LogTail) -> None:
        self._database = database
        self._tail = tail
        self._waiting: deque[_Job[Any]] = deque()
        self._work = Event()
        self._connection: Connection | None = None
        self._greenlet: gevent.Greenlet | None = None
        self._closing = False

    def start(self) -> None:
        """Open the connection and begin to apply jobs."""
        self._connection = self._database.open_writing()
        self._greenlet = gevent.spawn(self._run)

    def submit(self, apply: Callable[[Transaction], T], order: int = 0) -> T:
        """Apply in the next group and return what `apply` returned, once it is durable.

        Jobs of a group are applied in `order` (a room's nid), first come first within one. Raises what `apply` raised.
        """
        if self._closing:
            raise RuntimeError("the writer is closed")
        job: _Job[T] = _Job(apply, order)
        self._waiting.append(job)
        self._work.set()
        return job.result.get()  # type: ignore[no-any-return]  # gevent ships no type for it

    def close(self) -> None:
        """Apply what is waiting, then close the connection."""
        self._closing = True
        self._work.set()
        if self._greenlet is not None:
            self._greenlet.join()
            self._greenlet = None
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _run(self) -> None:
        while True:
            self._work.wait()
            self._work.clear()
            while self._waiting:
                self._group()
            if self._closing:
                return

    def _group(self) -> None:
        deadline = time.monotonic() + GROUP_SECONDS
        jobs: list[_Job[Any]] = []
        while self._waiting and len(jobs) < GROUP_JOBS:
            jobs.append(self._waiting.popleft())
        jobs.sort(key=lambda job: job.order)
        while jobs:
            try:
                done, position, transaction, late = self._apply(jobs, deadline)
            except _Spoiled as spoiled:
                jobs.remove(spoiled.job)
                spoiled.job.result.set_exception(spoiled.error)
                continue
            except BaseException as error:
                for job in jobs:
                    job.result.set_exception(error)
                if not isinstance(error, Exception):
                    raise
                return
            self._waiting.extendleft(reversed(late))
            transaction.run_callbacks()
            self._tail.feed(transaction.lines, position)
            for job, value in done:
                job.result.set(value)
            return

    def _apply(
        self, jobs: list[_Job[Any]], deadline: float
    ) -> tuple[list[tuple[_Job[Any], Any]], Position, Transaction, list[_Job[Any]]]:
        """Apply and commit `jobs`. Jobs that fail cleanly are answered and taken out of `jobs` on the way."""
        connection = self._connection
        assert connection is not None, "the writer was not started"
        self._begin(connection)
        transaction = Transaction(self._database.dialect, connection)
        done: list[tuple[_Job[Any], Any]] = []
        late: list[_Job[Any]] = []
        try:
            for number, job in enumerate(list(jobs)):
                if number and time.monotonic() > deadline:
                    late = jobs[len(done) :]
                    del jobs[len(done) :]
                    break
                transaction.is_dirty = False
                try:
                    done.append((job, job.apply(transaction)))
                except Exception as error:
                    if transaction.is_dirty:
                        raise _Spoiled(job, error) from error
                    jobs.remove(job)
                    job.result.set_exception(error)
            position = transaction.write_log() if transaction.lines else self._tail.position
            transaction.flush()
            _statement(connection, "COMMIT")
        except BaseException:
            _statement(connection, "ROLLBACK")
            raise
        return done, position, transaction, late

    def _begin(self, connection: Connection) -> None:
        if self._database.dialect.is_mysql:
            _statement(connection, "START TRANSACTION")
        else:
            retry_while_locked(lambda: _statement(connection, "BEGIN IMMEDIATE"))


class _Spoiled(Exception):
    """A job failed after it had written: the group must be applied again without it."""

    def __init__(self, job: _Job[Any], error: Exception) -> None:
        super().__init__(str(error))
        self.job = job
        self.error = error


def _statement(connection: Connection, sql: str) -> None:
    connection.cursor().execute(sql)


def advance(transaction: Transaction, name: str, count: int) -> int:
    """Reserve `count` numbers of the sequence `name`, which a migration made; returns the last of them.

    Its row stays locked until the commit, so what takes numbers from it commits in their order.
    """
    if transaction.dialect.is_mysql:
        transaction.run("UPDATE sequences SET value = LAST_INSERT_ID(value + ?) WHERE name = ?", (count, name))
        return int(transaction.value("SELECT LAST_INSERT_ID()"))
    transaction.run("UPDATE sequences SET value = value + ? WHERE name = ?", (count, name))
    return int(transaction.value("SELECT value FROM sequences WHERE name = ?", (name,)))
