"""What the room directory says of each room, kept ready so that searching it does not load every room's state.

Derived from state deltas by core.rooms.room_stats. Who is listed is core.storage.room_aliases' matter, and how many
are in a room is on the room's own row: both are read as they are now.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from core.ids import RoomNid
from core.storage.database import Database
from core.storage.sql import marks
from core.storage.tables import BigIntegerField, BytesField, MatrixStringField, SmallIntegerField, Table
from core.storage.writer import Transaction

TYPE_BYTES = 255
"""How much of a room's type is compared."""


class RoomStatsRow(Table):
    """One room. `room_type` is '' where it has none, else '=' and the type; `search_text` is folded, for byte search;
    `summary` is the directory's entry as JSON, without the number of members."""

    room_nid = BigIntegerField(primary_key=True)
    is_listable = SmallIntegerField()
    room_type = MatrixStringField(TYPE_BYTES + 1)
    search_text = BytesField()
    summary = BytesField()

    class Meta:
        table_name = "room_stats"


@dataclass(frozen=True, slots=True)
class RoomStats:
    """The row of one room. `is_listable` is false for rooms that strangers cannot do anything with."""

    room_nid: RoomNid
    is_listable: bool
    room_type: str | None
    search_text: bytes
    summary: bytes


@dataclass(frozen=True, slots=True)
class Listed:
    """A room in the directory, by its place: largest first, then by number."""

    joined_count: int
    room_nid: RoomNid
    summary: bytes


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which listed rooms. `network` None stands for all; `types` may hold None for rooms without a type."""

    network: str | None = ""
    words: Sequence[bytes] = ()
    types: Collection[str | None] | None = None


class RoomStatsStore:
    """Reads and writes what the directory says."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._put = database.dialect.upsert(RoomStatsRow)

    def put(self, transaction: Transaction, rows: Sequence[RoomStats]) -> None:
        """Write rooms, new or changed."""
        transaction.add_all(
            self._put,
            [(one.room_nid, int(one.is_listable), _key(one.room_type), one.search_text, one.summary) for one in rows],
        )

    def rooms_with_state(self, after: RoomNid, limit: int) -> list[RoomNid]:
        """Numbers of rooms that have a state, in order."""
        rows = self._database.rows(
            "SELECT room_nid FROM rooms WHERE main_line > 0 AND room_nid > ? ORDER BY room_nid LIMIT ?", (after, limit)
        )
        return [RoomNid(row[0]) for row in rows]

    def listed(self, wanted: Wanted, beyond: tuple[int, int] | None, is_backwards: bool, limit: int) -> list[Listed]:
        """At most `limit` rooms beyond the place (joined count, number), next to it first."""
        where, params = _where(wanted)
        if beyond is not None:
            count, nid = beyond
            where += (
                " AND (r.joined_count > ? OR (r.joined_count = ? AND r.room_nid < ?))"
                if is_backwards
                else " AND (r.joined_count < ? OR (r.joined_count = ? AND r.room_nid > ?))"
            )
            params += [count, count, nid]
        order = "r.joined_count, r.room_nid DESC" if is_backwards else "r.joined_count DESC, r.room_nid"
        rows = self._database.rows(
            f"SELECT r.joined_count, s.room_nid, s.summary {where} ORDER BY {order} LIMIT ?", (*params, limit)
        )
        return [Listed(row[0], row[1], bytes(row[2])) for row in rows]

    def count(self, wanted: Wanted) -> int:
        """How many rooms there are."""
        where, params = _where(wanted)
        return int(self._database.value(f"SELECT COUNT(*) {where}", params))


def _where(wanted: Wanted) -> tuple[str, list[object]]:
    params: list[object] = []
    networks = ""
    if wanted.network is not None:
        networks = " WHERE network = ?"
        params.append(wanted.network)
    where = (
        "FROM room_stats s JOIN rooms r ON r.room_nid = s.room_nid "
        f"WHERE s.room_nid IN (SELECT room_nid FROM published_rooms{networks}) "
        "AND s.is_listable = 1 AND r.joined_count > 0"
    )
    for word in wanted.words:
        where += " AND INSTR(s.search_text, ?) > 0"
        params.append(word)
    if wanted.types is not None:
        types = [_key(one) for one in wanted.types]
        where += f" AND s.room_type IN ({marks(len(types))})" if types else " AND 1 = 0"
        params += types
    return where, params


def _key(room_type: str | None) -> str:
    if room_type is None:
        return ""
    return "=" + room_type.encode("utf-8", "replace")[: TYPE_BYTES - 1].decode("utf-8", "ignore")
