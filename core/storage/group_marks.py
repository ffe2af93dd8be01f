"""Which group of each writer was committed last: what answers a COMMIT whose reply was lost.

On MariaDB and MySQL each group writes its number into its writer's row as its last statement. When the connection breaks
during COMMIT, the row is read again under a lock, which waits for the old connection's transaction to end one way or the
other. The row also says until when its writer counts as alive. SQLite's COMMIT always answers, so there nothing is kept.
"""

from __future__ import annotations

import secrets

from core.storage.connections import Connection
from core.storage.sql import Dialect
from core.storage.tables import BigIntegerField, Table

ALIVE_SECONDS = 30
"""How long a writer counts as alive after its last group; an idle one writes an empty group well before."""


class WriterMark(Table):
    """One writer (a worker process) and the last group it committed."""

    writer = BigIntegerField(primary_key=True)
    group_number = BigIntegerField()
    alive_until_s = BigIntegerField()

    class Meta:
        table_name = "writer_marks"


class GroupMarks:
    """The row of one writer; every method works on the writer's own connection."""

    def __init__(self, dialect: Dialect) -> None:
        self.is_registered = False
        self._is_kept = dialect.is_mysql
        self._writer = secrets.randbits(62)
        self._number = 0

    def register(self, connection: Connection) -> None:
        """Make the row, at the first connection; later ones find it."""
        if self._is_kept:
            connection.cursor().execute(
                "INSERT INTO writer_marks (writer, group_number, alive_until_s) VALUES (%s, 0, UNIX_TIMESTAMP() + %s) "
                "ON DUPLICATE KEY UPDATE group_number = group_number",
                (self._writer, ALIVE_SECONDS),
            )
            self.is_registered = True

    def write(self, connection: Connection) -> None:
        """Number the group that is about to be committed."""
        if self._is_kept:
            self._number += 1
            connection.cursor().execute(
                "UPDATE writer_marks SET group_number = %s, alive_until_s = UNIX_TIMESTAMP() + %s WHERE writer = %s",
                (self._number, ALIVE_SECONDS, self._writer),
            )

    def is_written(self, connection: Connection) -> bool:
        """Whether the group numbered last was committed."""
        cursor = connection.cursor()
        cursor.execute("SELECT group_number FROM writer_marks WHERE writer = %s FOR UPDATE", (self._writer,))
        row = cursor.fetchone()
        return row is not None and int(row[0]) == self._number

    def withdraw(self, connection: Connection) -> None:
        """Remove the row: this writer closes in good order."""
        connection.cursor().execute("DELETE FROM writer_marks WHERE writer = %s", (self._writer,))
        self.is_registered = False
