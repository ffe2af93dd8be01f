"""Which group of each writer was committed last: what answers a COMMIT whose reply was lost.

On MariaDB and MySQL each group writes its number into its writer's row as its last statement. When the connection
breaks during COMMIT, the row is read again under a lock, which waits for the old connection's transaction to end one
way or the other. SQLite's COMMIT always answers, so there nothing is kept."""

from __future__ import annotations

import secrets

from core.storage.connections import Connection
from core.storage.sql import Dialect
from core.storage.tables import BigIntegerField, Table
from core.storage.transaction import Transaction

FORGOTTEN_AFTER_S = 7 * 86_400
"""When the row of a writer that did not close in good order is removed."""


class WriterMark(Table):
    """One writer (a worker process) and the last group it committed."""

    writer = BigIntegerField(primary_key=True)
    group_number = BigIntegerField()
    written_s = BigIntegerField()

    class Meta:
        table_name = "writer_marks"


class GroupMarks:
    """The row of one writer; every method works on the writer's own connection."""

    def __init__(self, dialect: Dialect) -> None:
        self._is_kept = dialect.is_mysql
        self._writer = secrets.randbits(62)
        self._number = 0

    def write(self, connection: Connection) -> None:
        """Number the group that is about to be committed."""
        if self._is_kept:
            self._number += 1
            connection.cursor().execute(
                "INSERT INTO writer_marks (writer, group_number, written_s) VALUES (%s, %s, UNIX_TIMESTAMP()) "
                "ON DUPLICATE KEY UPDATE group_number = VALUES(group_number), written_s = VALUES(written_s)",
                (self._writer, self._number),
            )

    def is_written(self, connection: Connection) -> bool:
        """Whether the group numbered last was committed."""
        cursor = connection.cursor()
        cursor.execute("SELECT group_number FROM writer_marks WHERE writer = %s FOR UPDATE", (self._writer,))
        row = cursor.fetchone()
        return row is not None and int(row[0]) == self._number

    def withdraw(self, connection: Connection) -> None:
        """Remove the row: this writer closes in good order."""
        if self._is_kept:
            connection.cursor().execute("DELETE FROM writer_marks WHERE writer = %s", (self._writer,))


def forget_old_marks(transaction: Transaction) -> None:
    """Remove the rows of writers that died long ago."""
    if transaction.dialect.is_mysql:
        sql = "DELETE FROM writer_marks WHERE written_s < UNIX_TIMESTAMP() - ?"
        transaction.run(sql, (FORGOTTEN_AFTER_S,))
