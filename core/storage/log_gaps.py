"""The gaps that openings leave in the log's positions: whoever holds a position from within one was told of a future
that this database has not had, because a backup was restored or the disk lost what it had promised.

An opening moves the sequence to the present time (core.storage.owning). What lies between was given out by nobody, as
far as this database knows; so a position in there comes from elsewhere.
"""

from __future__ import annotations

from bisect import bisect_left

from core.storage.database import Database
from core.storage.tables import BigIntegerField, Table

MOST_KEPT = 1000
"""How many gaps are remembered; a token older than so many starts is believed."""


class LogGap(Table):
    """The positions after the one and before the other were never given out."""

    after_position = BigIntegerField(primary_key=True)
    before_position = BigIntegerField()

    class Meta:
        table_name = "log_gaps"


class LogGaps:
    """The gaps, read once: only an opening makes one."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._gaps: list[tuple[int, int]] | None = None

    def hold(self, position: int) -> bool:
        """Whether the position lies within a gap."""
        if self._gaps is None:
            rows = self._database.rows("SELECT after_position, before_position FROM log_gaps ORDER BY after_position")
            self._gaps = [(int(after), int(before)) for after, before in rows]
        place = bisect_left(self._gaps, (position, 0)) - 1
        return place >= 0 and self._gaps[place][0] < position < self._gaps[place][1]
