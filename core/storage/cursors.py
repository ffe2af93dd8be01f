"""Cursors: how far each durable consumer got in the log.

A cursor moves only under a fence that is at least the one it was moved with last, and never backwards.
"""

from __future__ import annotations

from core.ids import Position
from core.storage.database import Database
from core.storage.tables import BigIntegerField, MatrixStringField, Table
from core.storage.transaction import Transaction


class LeaseLost(Exception):
    """A later owner has moved the cursor; whoever gets this must stop the work."""


class ConsumerCursor(Table):
    """The position up to which the consumer called `name` has handled everything, and its owner's fence."""

    name = MatrixStringField(200, primary_key=True)
    position = BigIntegerField()
    fence = BigIntegerField()

    class Meta:
        table_name = "consumer_cursors"


class CursorStore:
    """Reads cursors from anywhere; moves them inside the caller's transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._new = database.dialect.insert_new(ConsumerCursor)

    def find(self, name: str) -> Position | None:
        """Where the consumer stands, or None where it never ran."""
        found = self._database.value("SELECT position FROM consumer_cursors WHERE name = ?", (name,))
        return None if found is None else Position(found)

    def positions(self) -> dict[str, Position]:
        """Where every consumer stands, for the metrics and the administrator."""
        return {name: Position(at) for name, at in self._database.rows("SELECT name, position FROM consumer_cursors")}

    def start(self, transaction: Transaction, name: str, position: int) -> None:
        """Give a consumer that has no cursor one at `position`; nothing happens where it has."""
        transaction.run(self._new, (name, position, 0))

    def move(self, transaction: Transaction, name: str, position: int, fence: int) -> None:
        """Say that everything up to `position` is handled. Raises LeaseLost where a later owner has moved it."""
        moved = transaction.run(
            "UPDATE consumer_cursors SET position = ?, fence = ? WHERE name = ? AND fence <= ? AND position <= ?",
            (position, fence, name, fence, position),
        )
        if not moved:
            raise LeaseLost(f"The cursor {name!r} was moved by a later owner than {fence}, or beyond {position}.")

    def advance(self, transaction: Transaction, name: str, position: int, fence: int) -> bool:
        """Say so later than it happened, when the cursor may be further already; False where a later owner has it."""
        moved = transaction.run(
            "UPDATE consumer_cursors SET position = ?, fence = ? WHERE name = ? AND fence <= ? AND position <= ?",
            (position, fence, name, fence, position),
        )
        if moved:
            return True
        owner = transaction.value("SELECT fence FROM consumer_cursors WHERE name = ?", (name,))
        return owner is not None and owner <= fence

    def remove(self, transaction: Transaction, name: str) -> None:
        """Forget a consumer, such as one of a plugin that is gone."""
        transaction.run("DELETE FROM consumer_cursors WHERE name = ?", (name,))
