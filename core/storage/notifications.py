"""The events that notified a user, newest first: read from the rows that counts are made of.

Common rows are per room, so they are asked room by room, each only for what is newer than the page found so far.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.ids import EventNid, RoomNid, UserNid
from core.storage.database import Database
from core.storage.notification_counts import OWN_COUNTING, USER_ROWS


@dataclass(slots=True)
class Notified:
    """An event that notified a user."""

    position: int
    room_nid: RoomNid
    thread: str
    event_nid: EventNid
    notify: int
    highlight: int


@dataclass(frozen=True, slots=True)
class Bounds:
    """Which positions of a room may have notified a user in common: after they joined, until they counted on their own."""

    since: int
    upto: int


class NotificationStore:
    """Reads notifications of one user."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def bounds(self, user: UserNid, upto: int) -> dict[RoomNid, Bounds]:
        """The rooms a user is joined to."""
        rows = self._database.rows(
            "SELECT m.room_nid, j.position, o.position FROM memberships m "
            "LEFT JOIN unread_marks j ON j.user_nid = m.user_nid AND j.room_nid = m.room_nid AND j.thread = '' "
            "LEFT JOIN unread_marks o ON o.user_nid = m.user_nid AND o.room_nid = m.room_nid AND o.thread = ? "
            "WHERE m.user_nid = ? AND m.membership = 1",
            (OWN_COUNTING, user),
        )
        return {
            RoomNid(room): Bounds(joined or 0, upto if own is None else min(own, upto)) for room, joined, own in rows
        }

    def common(
        self, room: RoomNid, user: UserNid, since: int, upto: int, only_highlights: bool, limit: int
    ) -> list[Notified]:
        """The newest events of a room that notify in common, with positions in (since, upto]."""
        highlighted = " AND highlight = 1" if only_highlights else ""
        rows = self._database.rows(
            "SELECT position, room_nid, thread, event_nid, highlight FROM notified_events WHERE room_nid = ? "
            f"AND position > ? AND position <= ? AND sender_nid <> ?{highlighted} ORDER BY position DESC LIMIT ?",
            (room, since, upto, user, limit),
        )
        return [Notified(position, where, thread, event, 1, mark) for position, where, thread, event, mark in rows]

    def common_at(self, user_rows: list[Notified]) -> dict[int, Notified]:
        """The common rows of the events that a user has rows for, by position."""
        rows = self._database.rows_in(
            "SELECT position, room_nid, thread, event_nid, highlight FROM notified_events WHERE event_nid IN ({})",
            [row.event_nid for row in user_rows],
        )
        return {row[0]: Notified(row[0], row[1], row[2], row[3], 1, row[4]) for row in rows}

    def of_user(self, user: UserNid, upto: int) -> list[Notified]:
        """A user's own rows up to a position, newest first: differences, or what counts in itself."""
        rows = self._database.rows(
            "SELECT position, room_nid, thread, event_nid, notify, highlight FROM user_notifications "
            "WHERE user_nid = ? AND position <= ? ORDER BY position DESC LIMIT ?",
            (user, upto, USER_ROWS),
        )
        return [Notified(*row) for row in rows]
