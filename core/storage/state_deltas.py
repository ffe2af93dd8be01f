"""Which range of a room's main line each STATE_DELTA line of the log speaks of."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from core.ids import RoomNid
from core.storage.database import Database
from core.storage.tables import BigIntegerField, Table
from core.storage.writer import Transaction


class StateDeltaRow(Table):
    """The changes in (after_index, upto_index] of a main line: what one append did to the current state."""

    delta_nid = BigIntegerField(primary_key=True)
    room_nid = BigIntegerField()
    line_nid = BigIntegerField()
    after_index = BigIntegerField()
    upto_index = BigIntegerField()

    class Meta:
        table_name = "state_deltas"
        indexes = ((("room_nid", "upto_index"), False),)


@dataclass(frozen=True, slots=True)
class DeltaRange:
    """A range of a room's main line: the changes in (after_index, upto_index]."""

    delta_nid: int
    room_nid: RoomNid
    line_nid: int
    after_index: int
    upto_index: int


class StateDeltaStore:
    """State deltas by number."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._add = database.dialect.insert(StateDeltaRow)

    def add(self, transaction: Transaction, delta: DeltaRange) -> None:
        """Write a delta; the caller logs it."""
        transaction.add(
            self._add, (delta.delta_nid, delta.room_nid, delta.line_nid, delta.after_index, delta.upto_index)
        )

    def by_nids(self, nids: Collection[int]) -> dict[int, DeltaRange]:
        """Deltas by number."""
        rows = self._database.rows_in(
            "SELECT delta_nid, room_nid, line_nid, after_index, upto_index FROM state_deltas WHERE delta_nid IN ({})",
            nids,
        )
        return {row[0]: DeltaRange(*row) for row in rows}
