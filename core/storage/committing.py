"""The ends of groups: their commits, and from time to time the copying of SQLite's write-ahead log into its file.

SQLite waits for the disk in C, and the hub with it. The commit of a few rows is over sooner than a thread could be asked
to do it; that of many rows, and the copying, are done by a thread, so that everybody but the writer goes on meanwhile.
MariaDB and MySQL wait on a socket, which holds nobody up.
"""

from __future__ import annotations

import logging
import sqlite3
from functools import partial
from typing import Any

from gevent.threadpool import ThreadPool

from core.storage.connections import Connection

MANY_ROWS = 300
"""A group that changed so many rows is committed by the thread."""
ROWS_PER_CHECKPOINT = 1_500
"""After so many changed rows the log is copied: about the thousand pages after which SQLite would do it itself."""

logger = logging.getLogger(__name__)


class Committer:
    """Commits for one writer, whose greenlet alone may call it."""

    def __init__(self) -> None:
        self._threads: ThreadPool | None = None
        self._committed = 0
        """How many rows of the connection had been changed at the last commit."""
        self._copied = 0
        """The same at the last checkpoint."""

    def take(self, connection: Connection) -> None:
        """A new connection of the writer: SQLite must not copy the log by itself, within a commit."""
        self._committed = self._copied = 0
        if isinstance(connection, sqlite3.Connection):
            connection.execute("PRAGMA wal_autocheckpoint = 0")
            self._committed = self._copied = connection.total_changes

    def commit(self, connection: Connection) -> None:
        """Commit what was written since the last time. Raises the driver's error."""
        commit = partial(connection.cursor().execute, "COMMIT")
        if not isinstance(connection, sqlite3.Connection):
            commit()
            return
        rows = connection.total_changes - self._committed
        self._committed += rows
        if rows < MANY_ROWS:
            commit()
        else:
            self._in_thread(commit)

    def copy_if_due(self, connection: Connection | None) -> None:
        """Copy the log into the file where much was written since the last time. Call between groups."""
        if not isinstance(connection, sqlite3.Connection) or self._committed - self._copied < ROWS_PER_CHECKPOINT:
            return
        self._copied = self._committed
        try:
            self._in_thread(lambda: connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall())
        except sqlite3.Error as error:
            logger.info("SQLite's log was not copied into its file, and is later: %s", error)

    def close(self) -> None:
        """End the thread."""
        if self._threads is not None:
            self._threads.kill()
            self._threads = None

    def _in_thread(self, call: Any) -> None:
        """Call in the thread; its errors are raised here, and not shown as the thread's."""
        if self._threads is None:
            self._threads = ThreadPool(1)
        error = self._threads.apply(_error_of, (call,))
        if error is not None:
            raise error


def _error_of(call: Any) -> Exception | None:
    try:
        call()
    except Exception as error:
        return error
    return None
