"""The handle through which everything reads, and through which the writer opens its transactions.

SQL is written once with `?`; `Database` speaks the engine's dialect and knows its failures. It offers no way to write:
that is core.storage.writer's, so that nothing can slip past group commit and the log.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

from peewee import Query

from core.storage.connections import (
    Connection,
    MysqlReaders,
    MysqlSettings,
    SqliteReaders,
    SqliteSettings,
    connect_mysql,
    connect_sqlite,
    retry_while_locked,
)
from core.storage.failures import Failure, classify, unavailable
from core.storage.sql import Dialect, marks

Row = tuple[Any, ...]
Settings = SqliteSettings | MysqlSettings

IDS_PER_QUERY = 500
"""How many ids one IN list carries."""
SELECTS_PER_QUERY = 50
"""How many SELECTs are asked together."""


class Database:
    """One database of one deployment. Reading never blocks on a writer; see the module for who may write."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.dialect = Dialect("sqlite" if isinstance(settings, SqliteSettings) else "mysql")
        self._readers: SqliteReaders | MysqlReaders = (
            SqliteReaders(settings) if isinstance(settings, SqliteSettings) else MysqlReaders(settings)
        )

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Keep one connection for several reads of this greenlet; never wait for anything else inside."""
        with self._readers.reading():
            yield

    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        """All rows of a SELECT, asked once more where the connection had been lost.

        Raises Unavailable where the database cannot be reached, and the driver's error where the statement is wrong.
        """
        text = self.dialect.text(sql)
        try:
            return self._fetch(text, params)
        except Exception as error:
            failure = classify(error)
            if failure is Failure.JOB:
                raise
            if failure is not Failure.LOST:
                raise unavailable(failure) from error
        self._readers.forget_idle()
        try:
            return self._fetch(text, params)
        except Exception as error:
            failure = classify(error)
            if failure is Failure.JOB:
                raise
            raise unavailable(failure) from error

    def row(self, sql: str, params: Sequence[Any] = ()) -> Row | None:
        """The first row, or None."""
        found = self.rows(sql, params)
        return found[0] if found else None

    def value(self, sql: str, params: Sequence[Any] = ()) -> Any:
        """The first column of the first row, or None."""
        found = self.rows(sql, params)
        return found[0][0] if found else None

    def rows_in(
        self, sql: str, ids: Collection[Any], before: Sequence[Any] = (), after: Sequence[Any] = ()
    ) -> list[Row]:
        """Rows of a SELECT whose `{}` stands for the list of `ids`, asked in chunks of IDS_PER_QUERY.

        `before` and `after` are the parameters on either side of the list.
        """
        found: list[Row] = []
        listed = list(ids)
        for start in range(0, len(listed), IDS_PER_QUERY):
            chunk = listed[start : start + IDS_PER_QUERY]
            found += self.rows(sql.format(marks(len(chunk))), (*before, *chunk, *after))
        return found

    def union(self, selects: Sequence[tuple[str, Sequence[Any]]]) -> list[Row]:
        """The rows of many SELECTs that differ only in what they look for, asked together, in chunks; in any order."""
        found: list[Row] = []
        for start in range(0, len(selects), SELECTS_PER_QUERY):
            chunk = selects[start : start + SELECTS_PER_QUERY]
            # each in a derived table of its own, where it may have an ORDER BY and a LIMIT
            sql = " UNION ALL ".join(f"SELECT * FROM ({select}) AS part{n}" for n, (select, _) in enumerate(chunk))
            found += self.rows(sql, [param for _, params in chunk for param in params])
        return found

    def select(self, query: Query) -> list[Row]:
        """Rows of a peewee query, for rare paths; it is compiled for this engine and never bound to a connection."""
        context: Any = self.dialect.peewee.get_sql_context()
        sql, params = context.sql(query).query()
        return self.rows(sql.replace("%s", "?") if self.dialect.is_mysql else sql, params)

    def open_writing(self) -> Connection:
        """A connection of its own for the writer or a migration; the caller closes it."""
        if isinstance(self.settings, SqliteSettings):
            return cast(Connection, connect_sqlite(self.settings))
        return connect_mysql(self.settings)

    def close(self) -> None:
        """Close the reading connections."""
        self._readers.close()

    def _fetch(self, text: str, params: Sequence[Any]) -> list[Row]:
        connection = self._readers.take()
        is_good = False
        try:
            if self.dialect.is_mysql:
                cursor = connection.cursor()
                cursor.execute(text, params)
                found = list(cursor.fetchall())
            else:
                found = retry_while_locked(lambda: connection.cursor().execute(text, params).fetchall())
            is_good = True
            return found
        except Exception as error:
            is_good = classify(error) is Failure.JOB
            raise
        finally:  # a greenlet killed while it waits for the answer leaves the connection in no state to be used again
            self._readers.give_back(connection, broken=not is_good and self.dialect.is_mysql)
