"""Delayed events: what users have asked to be sent later, kept until it is sent or called off.

The rows hold everything that sending needs, so that a restart changes nothing but the moment for those that fell due
meanwhile. Spec: MSC4140.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from core.ids import EventNid, RoomNid, UserNid
from core.storage.database import Database, Row
from core.storage.tables import BigIntegerField, BytesField, HashField, MatrixStringField, Table
from core.storage.writer import Transaction


class DelayedEventRecord(Table):
    """One delayed event. `request` is what a repeated request is known by; `replaced_nid` the state event
    that it would have replaced when it was made, 0 for none."""

    delay_id = MatrixStringField(64, primary_key=True)
    request = HashField()
    user_nid = BigIntegerField()
    room_nid = BigIntegerField()
    event_type = MatrixStringField(255)
    state_key = MatrixStringField(255, null=True)
    content = BytesField()
    delay_ms = BigIntegerField()
    running_since_ms = BigIntegerField()
    due_ms = BigIntegerField()
    replaced_nid = BigIntegerField()

    class Meta:
        table_name = "delayed_events"
        indexes = ((("due_ms",), False), (("user_nid", "request"), True))


@dataclass(frozen=True, slots=True)
class DelayedEvent:
    """One event that waits. `state_key` is None for a message event."""

    delay_id: str
    request: bytes
    user_nid: UserNid
    room_nid: RoomNid
    type: str
    state_key: str | None
    content: Mapping[str, Any]
    delay_ms: int
    running_since_ms: int
    replaced_nid: EventNid

    @property
    def due_ms(self) -> int:
        """When it is to be sent."""
        return self.running_since_ms + self.delay_ms


_COLUMNS = (
    "delay_id, request, user_nid, room_nid, event_type, state_key, content, delay_ms, running_since_ms, replaced_nid"
)


class DelayedEventStore:
    """Reads and writes delayed events. Transactions are the caller's."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._insert = database.dialect.insert(DelayedEventRecord)

    def add(self, transaction: Transaction, event: DelayedEvent) -> None:
        """Insert one."""
        row = (
            event.delay_id,
            event.request,
            event.user_nid,
            event.room_nid,
            event.type,
            event.state_key,
            orjson.dumps(event.content),
            event.delay_ms,
            event.running_since_ms,
            event.due_ms,
            event.replaced_nid,
        )
        transaction.add(self._insert, row)

    def find(self, delay_id: str) -> DelayedEvent | None:
        """The one with this id."""
        row = self._database.row(f"SELECT {_COLUMNS} FROM delayed_events WHERE delay_id = ?", (delay_id,))
        return None if row is None else _event(row)

    def made_by(self, transaction: Transaction, user: UserNid, request: bytes) -> str | None:
        """The id of the one that this request has made already."""
        found: str | None = transaction.value(
            "SELECT delay_id FROM delayed_events WHERE user_nid = ? AND request = ?", (user, request)
        )
        return found

    def of_user(self, user: UserNid) -> list[DelayedEvent]:
        """Everything of a user that waits, due first first."""
        rows = self._database.rows(
            f"SELECT {_COLUMNS} FROM delayed_events WHERE user_nid = ? ORDER BY due_ms, delay_id", (user,)
        )
        return [_event(row) for row in rows]

    def count_of(self, transaction: Transaction, user: UserNid) -> tuple[int, int]:
        """How many of a user wait, and when the first of them is due (0 where there is none)."""
        row = transaction.row("SELECT COUNT(*), MIN(due_ms) FROM delayed_events WHERE user_nid = ?", (user,))
        assert row is not None, "an aggregate has a row"
        return int(row[0]), int(row[1] or 0)

    def due(self, now_ms: int, limit: int) -> list[DelayedEvent]:
        """Those whose time has come, first first."""
        rows = self._database.rows(
            f"SELECT {_COLUMNS} FROM delayed_events WHERE due_ms <= ? ORDER BY due_ms, delay_id LIMIT ?",
            (now_ms, limit),
        )
        return [_event(row) for row in rows]

    def next_due_ms(self) -> int | None:
        """When the next one is due."""
        found: int | None = self._database.value("SELECT MIN(due_ms) FROM delayed_events")
        return found

    def restart(self, transaction: Transaction, delay_id: str, now_ms: int) -> bool:
        """Let its delay begin again; whether it was there."""
        return (
            transaction.run(
                "UPDATE delayed_events SET running_since_ms = ?, due_ms = ? + delay_ms WHERE delay_id = ?",
                (now_ms, now_ms, delay_id),
            )
            > 0
        )

    def remove(self, transaction: Transaction, delay_id: str) -> bool:
        """Delete it; whether it was there."""
        return transaction.run("DELETE FROM delayed_events WHERE delay_id = ?", (delay_id,)) > 0


def _event(row: Row) -> DelayedEvent:
    return DelayedEvent(
        row[0],
        bytes(row[1]),
        UserNid(row[2]),
        RoomNid(row[3]),
        row[4],
        row[5],
        orjson.loads(row[6]),
        row[7],
        row[8],
        EventNid(row[9]),
    )
