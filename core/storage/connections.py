"""Connections to the two engines, and who may use which one when.

SQLite calls never yield, so one reading connection serves every greenlet: a query is fetched whole before another can
start. PyMySQL yields on the socket, so each reading greenlet takes a connection of its own from a bounded pool, for as
long as its `reading()` block lasts and never while it waits for the writer.
"""

from __future__ import annotations

import logging
import socket
import sqlite3
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, Protocol, cast

import gevent
from gevent.local import local
from gevent.lock import BoundedSemaphore

from core.errors import Unavailable

BUSY_TIMEOUT_S = 0.05
"""How long SQLite may sleep in C for a lock, which holds the hub; beyond it we retry with a greenlet's sleep."""
BUSY_RETRIES = 200
POOL_WAIT_SECONDS = 10.0
"""How long a reader waits for a connection from the pool."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SqliteSettings:
    """Where the file is, and whether a commit waits for the disk (`FULL`) or may be lost with the power (`NORMAL`)."""

    path: Path
    synchronous: str = "FULL"


@dataclass(frozen=True, slots=True)
class MysqlSettings:
    """How to reach MariaDB 10.11+ or MySQL 8, and how many reading connections to keep."""

    database: str
    user: str
    password: str = ""
    host: str = "127.0.0.1"
    port: int = 3306
    unix_socket: str | None = None
    pool_size: int = 10
    ssl_ca: str | None = None
    ssl_cert: str | None = None
    ssl_key: str | None = None


class Cursor(Protocol):
    """The part of a DB-API cursor that is used."""

    rowcount: int
    lastrowid: Any

    def execute(self, sql: str, params: Sequence[Any] = ..., /) -> Any: ...
    def executemany(self, sql: str, rows: Sequence[Sequence[Any]], /) -> Any: ...
    def fetchall(self) -> list[tuple[Any, ...]]: ...
    def fetchone(self) -> tuple[Any, ...] | None: ...


class Connection(Protocol):
    """The part of a DB-API connection that is used."""

    def cursor(self) -> Cursor: ...
    def close(self) -> None: ...


def connect_sqlite(settings: SqliteSettings) -> sqlite3.Connection:
    """Open the file with the settings the server relies on. Raises sqlite3.Error.

    The writer hands its connection to a thread for as long as a long commit takes; no two ever use it at once.
    """
    connection = sqlite3.connect(
        settings.path, timeout=BUSY_TIMEOUT_S, isolation_level=None, cached_statements=512, check_same_thread=False
    )
    for pragma in (
        "journal_mode = WAL",
        f"synchronous = {settings.synchronous}",
        "foreign_keys = ON",
        f"busy_timeout = {int(BUSY_TIMEOUT_S * 1000)}",
        "mmap_size = 268435456",
        "temp_store = MEMORY",
        "journal_size_limit = 67108864",
    ):
        retry_while_locked(partial(connection.execute, f"PRAGMA {pragma}"))
    return connection


def connect_mysql(settings: MysqlSettings) -> Connection:
    """Open a connection in autocommit mode at READ COMMITTED. Raises pymysql.err.MySQLError."""
    import pymysql
    from pymysql import converters
    from pymysql.constants import CLIENT, FIELD_TYPE

    if settings.unix_socket is not None:
        _probe(settings.unix_socket)
    conversions = dict(converters.conversions)
    conversions[FIELD_TYPE.VAR_STRING] = _as_text
    connection: Connection = pymysql.connect(
        database=settings.database,
        user=settings.user,
        password=settings.password,
        host=None if settings.unix_socket else settings.host,
        port=settings.port,
        unix_socket=settings.unix_socket,
        charset="utf8mb4",
        autocommit=True,
        conv=conversions,
        client_flag=CLIENT.FOUND_ROWS,
        ssl_disabled=settings.ssl_ca is None,
        ssl=_tls_context(settings.ssl_ca, settings.ssl_cert, settings.ssl_key) if settings.ssl_ca is not None else None,
        connect_timeout=10,
        init_command="SET sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', innodb_lock_wait_timeout = 20",
    )
    connection.cursor().execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
    return connection


@cache
def _tls_context(ca: str, cert: str | None, key: str | None) -> ssl.SSLContext:
    """One for all connections: building it costs more than a thousand queries."""
    context = ssl.create_default_context(cafile=ca)
    if cert is not None:
        context.load_cert_chain(cert, key)
    return context


def _probe(path: str) -> None:
    """Fail where nobody listens at `path`: PyMySQL would too, but leave its socket open until it is collected."""
    from pymysql.err import OperationalError

    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except OSError as error:
            raise OperationalError(
                2002, f"Cannot connect to the database server at {path}: {error.strerror}"
            ) from error


def is_in_transaction(connection: Connection) -> bool:
    """Whether a ROLLBACK has something to end: SQLite ends a transaction itself when the disk is full."""
    return connection.in_transaction if isinstance(connection, sqlite3.Connection) else True


def _as_text(value: bytes | str) -> str:
    """VARBINARY holds our strings and comes as bytes; VARCHAR (of the system's tables) has been decoded already."""
    return value.decode() if isinstance(value, bytes) else value


def retry_while_locked(call: Callable[[], Any]) -> Any:
    """`call()`, repeated with a greenlet's sleep while another process holds SQLite's lock. Raises what it raises."""
    for attempt in range(BUSY_RETRIES):
        try:
            return call()
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or attempt == BUSY_RETRIES - 1:
                raise
            gevent.sleep(0.01)
    raise AssertionError("unreachable")


class SqliteReaders:
    """The one reading connection, opened at first use."""

    def __init__(self, settings: SqliteSettings) -> None:
        self._settings = settings
        self._connection: sqlite3.Connection | None = None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """The connection; calls on it must not be interleaved with a wait."""
        yield self.take()

    def take(self) -> Connection:
        """The connection, for one query."""
        if self._connection is None:
            self._connection = connect_sqlite(self._settings)
            self._connection.execute("PRAGMA query_only = ON")
        return cast(Connection, self._connection)

    def give_back(self, connection: Connection, broken: bool = False) -> None:
        """Nothing to do: everybody shares it."""

    def forget_idle(self) -> None:
        """Nothing to do: a file is never lost on the way."""

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class MysqlReaders:
    """A bounded pool; a greenlet inside `reading()` keeps the connection it got."""

    def __init__(self, settings: MysqlSettings) -> None:
        self._settings = settings
        self._idle: list[Connection] = []
        self._free = BoundedSemaphore(settings.pool_size)
        self._mine = local()
        self._is_closed = False

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Keep one connection for all reads of the block."""
        if getattr(self._mine, "connection", None) is not None:
            yield self._mine.connection
            return
        connection = self.take()
        self._mine.connection = connection
        try:
            yield connection
        finally:
            if self._mine.connection is connection:
                self._mine.connection = None
                self.give_back(connection)

    def take(self) -> Connection:
        """The greenlet's connection, or one from the pool, waiting for it where all are in use."""
        mine = getattr(self._mine, "connection", None)
        if mine is not None:
            return mine  # type: ignore[no-any-return]  # a greenlet-local has no types
        if not self._free.acquire(timeout=POOL_WAIT_SECONDS):
            raise Unavailable(f"All {self._settings.pool_size} database connections are in use; try again.")
        try:
            return self._idle.pop() if self._idle else connect_mysql(self._settings)
        except BaseException:
            self._free.release()
            raise

    def give_back(self, connection: Connection, broken: bool = False) -> None:
        """Return what `take` gave, unless the greenlet's `reading()` block still holds it."""
        if getattr(self._mine, "connection", None) is connection:
            if broken:
                self._mine.connection = None
            else:
                return
        if broken:
            _close_quietly(connection)
        elif self._is_closed:
            connection.close()
        else:
            self._idle.append(connection)
        self._free.release()

    def forget_idle(self) -> None:
        """Close the idle connections: one was found dead, and the others likely died with it."""
        while self._idle:
            _close_quietly(self._idle.pop())

    def close(self) -> None:
        """Close the idle connections, and those in use when they are given back."""
        self._is_closed = True
        self.forget_idle()


def _close_quietly(connection: Connection) -> None:
    """Close a connection that may be gone already."""
    try:
        connection.close()
    except Exception:
        logger.debug("A lost connection would not even close.", exc_info=True)
