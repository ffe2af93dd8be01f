"""What a driver's error means for the writer: whose fault it is, and whether trying again can help."""

from __future__ import annotations

import sqlite3
from enum import Enum, auto

from core.errors import Unavailable


class StorageRefused(Exception):
    """The database cannot be opened, or must not be; the sentence is for the administrator."""

    @property
    def sentence(self) -> str:
        """The sentence."""
        return str(self)


class DatabaseUnusable(StorageRefused):
    """There is no database where the configuration says, or it does not let us in."""


class Failure(Enum):
    """The kinds that are treated differently."""

    JOB = auto()  # the statement or its values are wrong: the job's own fault
    CONFLICT = auto()  # a deadlock, a lock that was waited for too long: the same transaction may succeed now
    LOST = auto()  # the connection is gone: reconnect
    DISK_FULL = auto()
    BROKEN = auto()  # the database cannot serve at present, for another reason


_SQLITE = {
    5: Failure.CONFLICT,  # BUSY
    6: Failure.CONFLICT,  # LOCKED
    7: Failure.BROKEN,  # NOMEM
    8: Failure.BROKEN,  # READONLY
    10: Failure.BROKEN,  # IOERR
    11: Failure.BROKEN,  # CORRUPT
    13: Failure.DISK_FULL,
    14: Failure.BROKEN,  # CANTOPEN
    26: Failure.BROKEN,  # NOTADB
}
_MYSQL = {
    **dict.fromkeys((1205, 1213, 1020, 1637), Failure.CONFLICT),
    # our socket, the server shutting down, our connection killed, idle too long, a Galera node that is not ready
    **dict.fromkeys(
        (0, 2002, 2003, 2006, 2013, 2014, 2055, 1053, 1079, 1158, 1159, 1160, 1161, 1927, 4031, 1047), Failure.LOST
    ),
    **dict.fromkeys((3, 1021, 1114, 1026), Failure.DISK_FULL),
    **dict.fromkeys((1030, 1036, 1040, 1203, 1226, 1290, 1792, 1836, 1317, 1969), Failure.BROKEN),
}
_SENTENCES = {
    Failure.CONFLICT: "The database was too busy to take the write; try again.",
    Failure.LOST: "The database cannot be reached at present; try again.",
    Failure.DISK_FULL: "The server's disk is full, so nothing can be written until its administrator makes room.",
    Failure.BROKEN: "The database cannot serve the request at present.",
}


def classify(error: BaseException) -> Failure:
    """Which kind of failure `error` is; what no driver raised is the job's."""
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", None) or 0
        return _SQLITE.get(code & 0xFF, Failure.JOB)
    if type(error).__module__ == "pymysql.err":  # not imported where the engine is SQLite
        code = error.args[0] if error.args and isinstance(error.args[0], int) else -1
        return _MYSQL.get(code, Failure.JOB)
    return Failure.JOB


def drivers_words(error: BaseException) -> str | None:
    """What the database driver said, without its number; None where no driver's error is behind `error`."""
    if isinstance(error, Unavailable) and error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, sqlite3.Error) or type(error).__module__ == "pymysql.err":
        return str(error.args[-1] if error.args else error).rstrip(".")
    return None


def unavailable(failure: Failure) -> Unavailable:
    """What callers are told."""
    return Unavailable(_SENTENCES[failure])
