"""What a job writes through, and the numbers it takes.

Rows queued with `add` go out together, one multi-row statement per distinct text; `run` and `rows` see them, because
they send what is queued first."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import MappingProxyType
from typing import Any

from core.ids import Position
from core.storage.connections import Connection, is_in_transaction, retry_while_locked
from core.storage.database import Database, Row
from core.storage.log import NEWEST_PER_KEY, Kind, Line
from core.storage.sql import Dialect

REPLACED_PER_STATEMENT = 50
"""How many replaced lines one DELETE names on MariaDB and MySQL."""

_HAS_RETURNING = sqlite3.sqlite_version_info >= (3, 35)
_INSERT_LINE = "INSERT INTO log (position, kind, subject, reference) VALUES (?, ?, ?, ?)"
_REPLACED = "(reference = ? AND kind = ? AND subject = ?)"


class Transaction:
    """Shared by the jobs of one group; valid until its group has been committed."""

    def __init__(self, dialect: Dialect, connection: Connection) -> None:
        self.dialect = dialect
        self.lines: list[Line] = []
        self.is_dirty = False
        """Whether the present job has written anything yet."""
        self.flush_error: Exception | None = None
        """The error of queued rows, which may be an earlier job's."""
        self.callbacks: list[Callable[[], None]] = []
        """What `after_commit` was given, in order."""
        self._overlay: dict[Hashable, Any] = {}
        self._cursor = connection.cursor()
        self._text = dialect.text
        self._pending: dict[str, list[Sequence[Any]]] = {}

    @property
    def overlay(self) -> Mapping[Hashable, Any]:
        """What earlier jobs of this group changed in memory, for later ones to read; set through `remember`."""
        return MappingProxyType(self._overlay)

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
        self._cursor.execute(self._text(sql), params)
        return self._cursor.rowcount

    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        """Read inside the transaction, after what is queued has been written."""
        self.flush()
        self._cursor.execute(self._text(sql), params)
        return list(self._cursor.fetchall())

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
        self._overlay[key] = value

    def log(self, kind: Kind, subject: int, reference: int, replaces: bool = False) -> Line:
        """Add a line to the log; its position is known once the group has committed.

        A line of a kind in NEWEST_PER_KEY, or one that `replaces`, takes the place of earlier ones with the same key.
        """
        self.is_dirty = True
        line = Line(kind, subject, reference, replaces or kind in NEWEST_PER_KEY)
        self.lines.append(line)
        return line

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Call `callback()` once the group is durable, before any follower hears of its lines; it must not wait."""
        self.is_dirty = True
        self.callbacks.append(callback)

    def flush(self) -> None:
        """Send the queued rows, statement by statement in the order in which each was first used."""
        if not self._pending:
            return
        pending, self._pending = self._pending, {}
        try:
            for sql, rows in pending.items():
                if len(rows) == 1:
                    self._cursor.execute(self._text(sql), rows[0])
                else:
                    self._cursor.executemany(self._text(sql), rows)
        except Exception as error:
            self.flush_error = error
            raise

    def advance(self, name: str, count: int) -> int:
        """See the function `advance`."""
        self.is_dirty = True
        self.flush()
        if self.dialect.is_mysql:
            self._cursor.execute(
                "UPDATE sequences SET value = LAST_INSERT_ID(value + %s) WHERE name = %s", (count, name)
            )
            return int(self._cursor.lastrowid)
        if _HAS_RETURNING:
            self._cursor.execute("UPDATE sequences SET value = value + ? WHERE name = ? RETURNING value", (count, name))
            return int(self._cursor.fetchall()[0][0])
        self._cursor.execute("UPDATE sequences SET value = value + ? WHERE name = ?", (count, name))
        return int(self.value("SELECT value FROM sequences WHERE name = ?", (name,)))

    def write_log(self) -> Position:
        """Advance the sequence and write the lines: the last two statements of a group. Returns the last position."""
        self.flush()
        earlier = self._without_repeated_lines()
        last = self.advance("log", len(self.lines))
        for number, line in enumerate(self.lines, last - len(self.lines) + 1):
            line.position = Position(number)
        for line, newest in earlier:
            line.position = newest.position
        self._delete_replaced([line for line in self.lines if line.replaces])
        self.add_all(_INSERT_LINE, [(n.position, int(n.kind), n.subject, n.reference) for n in self.lines])
        self.flush()
        return Position(last)

    def _without_repeated_lines(self) -> list[tuple[Line, Line]]:
        """Keep the newest of the group's own lines of a key; (dropped line, the one that took its place)."""
        newest = {(n.kind, n.subject, n.reference): n for n in self.lines if n.replaces}
        if not newest:
            return []
        key = [(line, newest.get((line.kind, line.subject, line.reference), line)) for line in self.lines]
        self.lines = [line for line, kept in key if line is kept]
        return [(line, kept) for line, kept in key if line is not kept]

    def _delete_replaced(self, lines: list[Line]) -> None:
        keys = [(line.reference, int(line.kind), line.subject) for line in lines]
        if not self.dialect.is_mysql:
            self.add_all(f"DELETE FROM log WHERE {_REPLACED}", keys)
            return
        for start in range(0, len(keys), REPLACED_PER_STATEMENT):
            chunk = keys[start : start + REPLACED_PER_STATEMENT]
            wanted = " OR ".join([_REPLACED] * len(chunk))
            self.run(f"DELETE FROM log WHERE {wanted}", [value for key in chunk for value in key])


def advance(transaction: Transaction, name: str, count: int) -> int:
    """Reserve `count` numbers of the sequence `name`, which a migration made; returns the last of them.

    Its row stays locked until the commit, so what takes numbers from it commits in their order.
    """
    return transaction.advance(name, count)


@contextmanager
def alone(database: Database) -> Iterator[Transaction]:
    """A transaction of its own on a connection of its own: for opening and for tools, where no writer runs."""
    connection = database.open_writing()
    try:
        begin(connection, database.dialect)
        transaction = Transaction(database.dialect, connection)
        yield transaction
        transaction.flush()
        connection.cursor().execute("COMMIT")
    except BaseException:
        with suppress(Exception):  # a lost connection has nothing to roll back
            roll_back(connection)  # closing is not enough: a cursor that a traceback still holds keeps SQLite's lock
        raise
    finally:
        connection.close()


def begin(connection: Connection, dialect: Dialect) -> None:
    """Open a transaction that may write. On SQLite it waits for another process's writes, as a greenlet."""
    if dialect.is_mysql:
        connection.cursor().execute("START TRANSACTION")
    else:
        retry_while_locked(lambda: connection.cursor().execute("BEGIN IMMEDIATE"))


def roll_back(connection: Connection) -> None:
    """End the transaction, where the engine has not already done so."""
    if is_in_transaction(connection):
        connection.cursor().execute("ROLLBACK")
