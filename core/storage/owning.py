"""Who owns the database: one process where it is a file; where it is a server, each worker for its own part.

Each opening has a *fence*, a number that only grows, and does not repeat even when a backup is restored: it is at
least the present time in seconds. An opening also moves the log's sequence forward to the present time, so that
positions which a lost future of this database has given out are not given out again
(docs/decisions/0004-positions-after-a-restart.md)."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

import gevent

from core.storage.connections import SqliteSettings
from core.storage.database import Database
from core.storage.failures import StorageRefused
from core.storage.group_marks import forget_old_marks
from core.storage.leases import take_lease
from core.storage.transaction import alone

POSITIONS_PER_SECOND = 10_000
"""An opening starts positions at the present time counted in this unit: no deployment writes lines that fast for
long."""
JUMP = 1_000_000
"""How many positions an opening leaves out where the clock is behind the log."""
LEASE = "database"


class DatabaseInUse(StorageRefused):
    """Another server owns the database; the sentence says which database."""


class FileLease:
    """The lock on `<database>.lock`, which the kernel gives up with the process, however that ends."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._descriptor: int | None = None

    def take(self, wait_s: float) -> None:
        """Wait for the lock, as a greenlet. Raises DatabaseInUse after `wait_s`."""
        path = self._database.with_name(self._database.name + ".lock")
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        give_up = time.monotonic() + wait_s
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= give_up:
                    holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
                    os.close(descriptor)
                    raise DatabaseInUse(
                        f"Another server (process {holder or 'unknown'}) is using the database {self._database}: "
                        "stop it, or give this one a database of its own."
                    ) from None
            gevent.sleep(min(0.02, max(0.0, give_up - time.monotonic())))
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock up. The file stays: removing it would let two processes lock two files of one name."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def file_lease(database: Database) -> FileLease | None:
    """The lease of a database that is a file; None where a server arbitrates."""
    return FileLease(database.settings.path) if isinstance(database.settings, SqliteSettings) else None


def begin_ownership(database: Database) -> int:
    """Begin an ownership and return its fence. The schema must be there, and the file lease be held."""
    with alone(database) as transaction:
        lease = take_lease(transaction, LEASE, LEASE, 0, least_fence=int(time.time()))
        assert lease is not None, "no other owner is called LEASE"
        position = transaction.advance("log", 0)
        at_present = int(time.time() * POSITIONS_PER_SECOND)
        transaction.advance("log", at_present - position if at_present > position else JUMP)
        forget_old_marks(transaction)
        return lease.fence
