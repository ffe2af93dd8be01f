"""Who owns the database: one server at a time. A second one is refused at once, but a reload waits for its predecessor.

A SQLite file is owned by a lock on the file beside it, a database server's schema by a named lock that the writer's own
connection holds: both end with the process, however that ends. Beside the lock stands who holds it. Whoever finds it
taken waits only where the holder is about to go: the worker before a reload, one whose master has died, a command.

Each opening has a *fence*, a number that only grows, and does not repeat even when a backup is restored: it is at
least the present time in seconds. An opening also moves the log's sequence forward to the present time, so that
positions which a lost future of this database has given out are not given out again
(docs/decisions/0004-positions-after-a-restart.md)."""

from __future__ import annotations

import fcntl
import hashlib
import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import gevent

from core.storage.configured import describe
from core.storage.connections import Connection, SqliteSettings
from core.storage.database import Database
from core.storage.facts import FactStore
from core.storage.failures import StorageRefused
from core.storage.group_marks import forget_old_marks
from core.storage.leases import take_lease
from core.storage.log_gaps import MOST_KEPT, LogGap
from core.storage.transaction import Transaction, alone

POSITIONS_PER_SECOND = 10_000
"""An opening starts positions at the present time counted in this unit: no deployment writes lines that fast for
long."""
JUMP = 1_000_000
"""How many positions an opening leaves out where the clock is behind the log."""
LEASE = "database"
OWNER = "owner"
"""The fact that says which process holds the named lock of a database server."""
POLL_SECONDS = 0.02
IDLE_SECONDS = 31_536_000
"""How long the connection that holds a named lock may say nothing: the most that MariaDB and MySQL allow."""
COMMAND = 0
"""The master of a process that has none: a command, which soon ends."""


class DatabaseInUse(StorageRefused):
    """Another server owns the database; the sentence says which database."""


@dataclass(frozen=True, slots=True)
class Owner:
    """A process that owns a database, and its master."""

    host: str
    process: int
    master: int

    @classmethod
    def here(cls, master: int) -> Owner:
        """This process."""
        return cls(socket.gethostname()[:200], os.getpid(), master)

    @classmethod
    def read(cls, text: str | None) -> Owner | None:
        """The owner that `str` put into words; None for any other text."""
        words = (text or "").split()
        if len(words) != 3 or not (words[1].isdecimal() and words[2].isdecimal()):
            return None
        return cls(words[0], int(words[1]), int(words[2]))

    def __str__(self) -> str:
        return f"{self.host} {self.process} {self.master}"

    def is_another_server(self) -> bool:
        """Whether this owner stays: it is no command, its master lives, and we are not the ones to succeed it."""
        if self.host != socket.gethostname()[:200]:
            return True
        predecessors = {str(os.getppid()), os.environ.get("GUNICORN_PID")}  # the latter where gunicorn was replaced
        return self.master != COMMAND and str(self.master) not in predecessors and _lives(self.master)


class FileLease:
    """The lock on `<database>.lock`, which the kernel gives up with the process, however that ends."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._descriptor: int | None = None

    def take(self, wait_s: float, master: int = COMMAND) -> None:
        """Wait for the lock, as a greenlet. Raises DatabaseInUse after `wait_s`, at once where its owner stays."""
        path = self._database.with_name(self._database.name + ".lock")
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            _wait_for(
                lambda: _locked(descriptor),
                lambda: Owner.read(os.pread(descriptor, 300, 0).decode("utf-8", "replace")),
                f"the database {self._database}",
                wait_s,
            )
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{Owner.here(master)}\n".encode(), 0)
        except BaseException as error:
            os.close(descriptor)
            if isinstance(error, OSError):
                raise OSError(error.errno, error.strerror, str(path)) from error
            raise
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock up. The file stays: removing it would let two processes lock two files of one name."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class NamedLease:
    """A lock of the database server's own, `GET_LOCK`, held by one connection and gone with it.

    The connection becomes the writer's. Where the writer has lost it, `hold` takes the lock anew before a group is
    written, so a server that was cut off for long, and replaced, never writes again.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        digest = hashlib.sha256(str(getattr(database.settings, "database", "")).encode()).hexdigest()
        self._name = f"trellis.{digest[:32]}"
        self._facts = FactStore(database)
        words = describe(database.settings)
        self._where = words[0].lower() + words[1:]
        self._connection: Connection | None = None

    def take(self, wait_s: float, master: int = COMMAND) -> None:
        """Wait for the lock, as a greenlet. Raises DatabaseInUse after `wait_s`, at once where its owner stays."""
        connection = self._database.open_writing()
        try:
            _wait_for(
                lambda: self._is_taken_by(connection),
                self._owner,
                self._where,
                wait_s,
            )
        except BaseException:
            connection.close()
            raise
        self._connection = connection

    def hand_over(self) -> Connection:
        """The connection that holds the lock, for the writer, who closes it."""
        connection, self._connection = self._connection, None
        assert connection is not None, "the lock is taken"
        return connection

    def sign(self, master: int) -> None:
        """Write down who holds the lock; the tables must be there."""
        with alone(self._database) as transaction:
            self._facts.set(transaction, OWNER, str(Owner.here(master)))

    def hold(self, connection: Connection) -> None:
        """Take the lock for a new connection of the same owner. Raises DatabaseInUse where another has it."""
        if not self._is_taken_by(connection):
            raise DatabaseInUse(f"Another server has taken {self._where}.")

    def release(self) -> None:
        """Give the lock up, where the writer has not been given its connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _is_taken_by(self, connection: Connection) -> bool:
        cursor = connection.cursor()
        cursor.execute(
            f"SET SESSION wait_timeout = {IDLE_SECONDS}"
        )  # or a quiet night ends the connection, and the lock
        cursor.execute("SELECT GET_LOCK(%s, 0)", (self._name,))
        found = cursor.fetchone()
        return found is not None and found[0] == 1

    def _owner(self) -> Owner | None:
        try:
            return Owner.read(self._facts.find(OWNER))
        except Exception:  # the first start of all is still making the tables
            return None


def lease_of(database: Database) -> FileLease | NamedLease:
    """The ownership of `database`, not yet taken."""
    settings = database.settings
    return FileLease(settings.path) if isinstance(settings, SqliteSettings) else NamedLease(database)


def begin_ownership(database: Database) -> int:
    """Begin an ownership and return its fence. The schema must be there, and the file lease be held."""
    with alone(database) as transaction:
        lease = take_lease(transaction, LEASE, LEASE, 0, least_fence=int(time.time()))
        assert lease is not None, "no other owner is called LEASE"
        position = transaction.advance("log", 0)
        at_present = int(time.time() * POSITIONS_PER_SECOND)
        start = transaction.advance("log", at_present - position if at_present > position else JUMP)
        _add_gap(transaction, position, start)
        forget_old_marks(transaction)
        return lease.fence


def _add_gap(transaction: Transaction, after: int, before: int) -> None:
    """Note a gap, and forget the oldest where there are too many."""
    transaction.run(transaction.dialect.insert_new(LogGap), (after, before))
    oldest = transaction.value(
        "SELECT after_position FROM log_gaps ORDER BY after_position DESC LIMIT 1 OFFSET ?", (MOST_KEPT,)
    )
    if oldest is not None:
        transaction.run("DELETE FROM log_gaps WHERE after_position <= ?", (oldest,))


def _wait_for(is_taken: Callable[[], bool], owner: Callable[[], Owner | None], what: str, wait_s: float) -> None:
    """Poll until `is_taken`. Raises DatabaseInUse at once where the owner stays, and after `wait_s` in any case."""
    give_up = time.monotonic() + wait_s
    while not is_taken():
        holder = owner()
        if time.monotonic() >= give_up or (holder is not None and holder.is_another_server()):
            number = holder.process if holder is not None else "unknown"
            raise DatabaseInUse(
                f"Another server (process {number}) is using {what}: stop it, or give this one a database of its own."
            )
        gevent.sleep(min(POLL_SECONDS, max(0.0, give_up - time.monotonic())))


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it lives, as another user's
    return True
