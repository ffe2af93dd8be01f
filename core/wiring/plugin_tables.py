"""A plugin's own tables as it reaches them: `core.hooks.api.Tables` over the database and the writer."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from logging import Logger
from typing import Any, TypeVar

from core.hooks import api
from core.storage.database import Database
from core.storage.transaction import Transaction
from core.storage.writer import Writer

_Result = TypeVar("_Result")

LONG_SECONDS = 0.1
"""A function that keeps the writer for longer is named in the log: every other write waits for it."""


class PluginTransaction:
    """What a plugin's function gets: two calls, and no way to the rest of the writer's transaction."""

    __slots__ = ("_transaction",)

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def run(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Run one statement with `?` placeholders; the number of rows it changed."""
        return self._transaction.run(sql, tuple(parameters))

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> Sequence[tuple[Any, ...]]:
        """Run one query with `?` placeholders."""
        return self._transaction.rows(sql, tuple(parameters))


class PluginTables:
    """The tables of one plugin; `log` is the plugin's own."""

    def __init__(self, database: Database, writer: Writer, log: Logger) -> None:
        self._database = database
        self._writer = writer
        self._log = log

    @property
    def engine(self) -> str:
        """`sqlite` or `mysql` (MariaDB included)."""
        return self._database.dialect.name

    def read(self, sql: str, parameters: Sequence[Any] = ()) -> Sequence[tuple[Any, ...]]:
        """Run one query with `?` placeholders, outside any transaction. Raises Unavailable without a database."""
        return self._database.rows(sql, tuple(parameters))

    def transaction(self, function: Callable[[api.Transaction], _Result]) -> _Result:
        """Run `function` in the writer's next transaction and return what it returned, once that is durable.

        What it raises is raised here, and nothing of it is written.
        """

        def job(transaction: Transaction) -> _Result:
            started = time.perf_counter()
            try:
                return function(PluginTransaction(transaction))
            finally:
                seconds = time.perf_counter() - started
                if seconds > LONG_SECONDS:
                    self._log.warning("a transaction kept all other writes waiting for %.2f s", seconds)

        return self._writer.submit(job)
