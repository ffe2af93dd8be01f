"""Reports: what users found so wrong that an administrator should look at it.

Kept until an administrator removes them. The rows hold ids and not numbers, since what was reported may be purged.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from core.ids import EventId, RoomId, UserId
from core.storage.database import Database
from core.storage.tables import BigIntegerField, BytesField, IntegerField, MatrixStringField, SmallIntegerField, Table
from core.storage.writer import Transaction, advance


class Subject(IntEnum):
    """What a report is about."""

    EVENT = 1
    ROOM = 2
    USER = 3


class ReportRecord(Table):
    """One report. `room_id`, `event_id` and `target` are '' where they do not apply; `target` is the user reported, of an
    event its sender. `score` is what older clients send with a report of an event."""

    report_nid = BigIntegerField(primary_key=True)
    subject = SmallIntegerField()
    received_ms = BigIntegerField()
    reporter = MatrixStringField(255)
    room_id = MatrixStringField(255)
    event_id = MatrixStringField(255)
    target = MatrixStringField(255)
    reason = BytesField()
    score = IntegerField(null=True)

    class Meta:
        table_name = "reports"
        indexes = ((("subject", "report_nid"), False), (("target",), False), (("reporter",), False))


@dataclass(frozen=True, slots=True)
class Report:
    """One report, as it was received."""

    nid: int
    subject: Subject
    received_ms: int
    reporter: UserId
    room_id: RoomId
    event_id: EventId
    target: UserId
    reason: str | None
    score: int | None


_COLUMNS = "report_nid, subject, received_ms, reporter, room_id, event_id, target, reason, score"


class ReportStore:
    """Reads and writes reports."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._insert = database.dialect.insert(ReportRecord)

    def add(self, transaction: Transaction, report: Report) -> int:
        """Write a report, whose `nid` is given here; the number."""
        nid = advance(transaction, "reports", 1)
        reason = b"" if report.reason is None else report.reason.encode("utf-8", "replace")
        transaction.run(
            self._insert,
            (
                nid,
                report.subject,
                report.received_ms,
                report.reporter,
                report.room_id,
                report.event_id,
                report.target,
                reason,
                report.score,
            ),
        )
        return nid

    def find(self, nid: int, subject: Subject) -> Report | None:
        """One report by number, or None."""
        row = self._database.row(f"SELECT {_COLUMNS} FROM reports WHERE report_nid = ? AND subject = ?", (nid, subject))
        return None if row is None else _report(row)

    def listed(
        self,
        subject: Subject,
        offset: int = 0,
        limit: int = 100,
        newest_first: bool = True,
        reporter: str | None = None,
        target: str | None = None,
        room_id: str | None = None,
    ) -> tuple[list[Report], int]:
        """(a page of the reports of one kind, how many there are in all); the filters match parts of ids."""
        wanted, params = ["subject = ?"], [subject.value]
        given: list[Any] = list(params)
        for column, part in (("reporter", reporter), ("target", target), ("room_id", room_id)):
            if part:
                wanted.append(f"{column} LIKE ? ESCAPE '!'")
                given.append(f"%{_escaped(part)}%")
        where, order = " AND ".join(wanted), "DESC" if newest_first else "ASC"
        total = self._database.value(f"SELECT COUNT(*) FROM reports WHERE {where}", given)
        rows = self._database.rows(
            f"SELECT {_COLUMNS} FROM reports WHERE {where} ORDER BY report_nid {order} LIMIT ? OFFSET ?",
            (*given, limit, offset),
        )
        return [_report(row) for row in rows], int(total)

    def remove(self, transaction: Transaction, nid: int, subject: Subject) -> bool:
        """Remove a report; whether there was one."""
        return transaction.run("DELETE FROM reports WHERE report_nid = ? AND subject = ?", (nid, subject)) > 0


def _escaped(part: str) -> str:
    return part.replace("!", "!!").replace("%", "!%").replace("_", "!_")


def _report(row: tuple[Any, ...]) -> Report:
    reason = bytes(row[7]).decode("utf-8")
    return Report(
        row[0],
        Subject(row[1]),
        row[2],
        UserId(row[3]),
        RoomId(row[4]),
        EventId(row[5]),
        UserId(row[6]),
        reason or None,
        row[8],
    )
