"""What keeps the log bounded, and what a consumer that was away for too long is told.

Kinds in NEWEST_PER_KEY bound themselves: writing a line removes the one before it. Every other line belongs to a row
(an event, a state delta, a to-device message), and whoever deletes the row drops its line here, in the same
transaction.

Most consumers do not mind: what a dropped line pointed at is gone. State deltas are different: derived data was to be
made from each. So dropping one raises the *horizon*, and a consumer whose cursor stands below the horizon must derive
its data afresh (core.storage.consumers) instead of holding back what may be deleted."""

from __future__ import annotations

from collections.abc import Collection

from core.ids import Position
from core.storage.database import IDS_PER_QUERY, Database
from core.storage.log import NEWEST_PER_KEY, Kind
from core.storage.sql import marks
from core.storage.transaction import Transaction

NEEDED_BY_CONSUMERS = frozenset({Kind.STATE_DELTA})
"""Kinds whose lines each consumer must have seen, or derive its data afresh."""
HORIZON = "log_horizon"


class LogKeeper:
    """Drops lines, and knows the horizon."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def horizon(self) -> Position:
        """The highest position at which a line that consumers needed has been dropped; 0 where none was."""
        return Position(self._database.value("SELECT value FROM sequences WHERE name = ?", (HORIZON,)) or 0)

    def drop(self, transaction: Transaction, kind: Kind, references: Collection[int]) -> int:
        """Drop the lines of this kind that point at `references`, whose rows go in the same transaction; how many."""
        dropped, listed = 0, list(references)
        for start in range(0, len(listed), IDS_PER_QUERY):
            chunk = listed[start : start + IDS_PER_QUERY]
            where = f"WHERE reference IN ({marks(len(chunk))}) AND kind = ?"
            if kind in NEEDED_BY_CONSUMERS:
                self._raise_horizon(
                    transaction, transaction.value(f"SELECT MAX(position) FROM log {where}", (*chunk, kind))
                )
            dropped += transaction.run(f"DELETE FROM log {where}", (*chunk, int(kind)))
        return dropped

    def drop_subject(self, transaction: Transaction, kind: Kind, subject: int, upto: int) -> int:
        """Drop one subject's lines of this kind up to a position, such as a room's that is deleted; how many."""
        where, params = "WHERE subject = ? AND kind = ? AND position <= ?", (subject, int(kind), upto)
        if kind in NEEDED_BY_CONSUMERS:
            self._raise_horizon(transaction, transaction.value(f"SELECT MAX(position) FROM log {where}", params))
        return transaction.run(f"DELETE FROM log {where}", params)

    def count(self) -> dict[Kind, int]:
        """How many lines of each kind there are, for the administrator. Cost: reads the whole log."""
        return {
            Kind(kind): count for kind, count in self._database.rows("SELECT kind, COUNT(*) FROM log GROUP BY kind")
        }

    def repeated(self) -> int:
        """How many lines are not the newest of their key, of the kinds that keep only that: 0 in a sound log."""
        kinds = sorted(NEWEST_PER_KEY)
        found = self._database.value(
            f"SELECT COUNT(*) - COUNT(DISTINCT kind, subject, reference) FROM log WHERE kind IN ({marks(len(kinds))})"
            if self._database.dialect.is_mysql
            else "SELECT COUNT(*) - COUNT(DISTINCT kind || ' ' || subject || ' ' || reference) FROM log "
            f"WHERE kind IN ({marks(len(kinds))})",
            [int(kind) for kind in kinds],
        )
        return int(found)

    def _raise_horizon(self, transaction: Transaction, position: int | None) -> None:
        if position is not None:
            transaction.run(
                "UPDATE sequences SET value = ? WHERE name = ? AND value < ?", (position, HORIZON, position)
            )
