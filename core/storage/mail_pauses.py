"""When users were last mailed about what they missed in a room, and for how long they are not mailed about it again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from peewee import CompositeKey

from core.ids import RoomNid
from core.storage.database import Database
from core.storage.tables import BigIntegerField, Table
from core.storage.transaction import Transaction

ROOMS = 1_000
"""Of so many rooms it is kept for a pusher; those mailed about longest ago go."""


class MailPauseRow(Table):
    """The last mail to a pusher that told of a room."""

    pusher_nid = BigIntegerField()
    room_nid = BigIntegerField()
    sent_ms = BigIntegerField()
    pause_ms = BigIntegerField()

    class Meta:
        table_name = "mail_pauses"
        primary_key = CompositeKey("pusher_nid", "room_nid")
        without_rowid = True


@dataclass(frozen=True, slots=True)
class MailPause:
    """When the last mail about a room was sent, and the pause after it."""

    room_nid: RoomNid
    sent_ms: int
    pause_ms: int


class MailPauseStore:
    """Reads and writes pauses. Transactions are the caller's."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._put = database.dialect.upsert(MailPauseRow)

    def of(self, pusher_nid: int) -> dict[RoomNid, MailPause]:
        """A pusher's pauses, by room."""
        rows = self._database.rows(
            "SELECT room_nid, sent_ms, pause_ms FROM mail_pauses WHERE pusher_nid = ?", (pusher_nid,)
        )
        return {row[0]: MailPause(*row) for row in rows}

    def put(self, transaction: Transaction, pusher_nid: int, pauses: Sequence[MailPause]) -> None:
        """Write some, in place of what is kept of their rooms. Those of pushers that are gone go as well."""
        transaction.add_all(self._put, [(pusher_nid, one.room_nid, one.sent_ms, one.pause_ms) for one in pauses])
        last = transaction.value(
            "SELECT sent_ms FROM mail_pauses WHERE pusher_nid = ? ORDER BY sent_ms DESC LIMIT 1 OFFSET ?",
            (pusher_nid, ROOMS),
        )
        if last is not None:
            transaction.run("DELETE FROM mail_pauses WHERE pusher_nid = ? AND sent_ms <= ?", (pusher_nid, last))
        transaction.run("DELETE FROM mail_pauses WHERE pusher_nid NOT IN (SELECT pusher_nid FROM pushers)")
