"""What the log and the rooms' histories say about whose device lists a user has to follow.

A DEVICE_LIST line whose subject is its reference tells everybody who shares a room with that user; one whose
reference is another user is for the subject's own devices alone. Who shares a room is in the memberships; who did at
an earlier position follows from the changes since, in the main lines that STATE_DELTA lines point into.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from core.ids import EventNid, RoomNid, TextNid, UserNid
from core.storage.database import Database
from core.storage.log import Kind

SCANNED_POSITIONS = 5_000
"""Up to this many positions are read through; beyond, the lines are looked up user by user."""


@dataclass(frozen=True, slots=True)
class MemberChange:
    """A member event took another's place in a room's current state; 0 stands for none."""

    position: int
    room_nid: RoomNid
    user_nid: UserNid
    old_nid: EventNid
    new_nid: EventNid


class DeviceListStore:
    """Reads only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def lines(self, user: UserNid, since: int, upto: int) -> list[tuple[UserNid, UserNid]]:
        """(subject, reference) of DEVICE_LIST lines in (since, upto]; perhaps only of users who share rooms now."""
        if upto - since <= SCANNED_POSITIONS:
            return self._database.rows(
                "SELECT subject, reference FROM log WHERE position > ? AND position <= ? AND kind = ?",
                (since, upto, int(Kind.DEVICE_LIST)),
            )
        window = (int(Kind.DEVICE_LIST), since, upto)
        own = self._database.rows(
            "SELECT subject, reference FROM log WHERE subject = ? AND kind = ? AND position > ? AND position <= ?",
            (user, *window),
        )
        return own + self._database.rows(
            "SELECT DISTINCT l.subject, l.reference FROM memberships a "
            "JOIN memberships b ON b.room_nid = a.room_nid AND b.membership = 1 "
            "JOIN log l ON l.subject = b.user_nid AND l.kind = ? AND l.position > ? AND l.position <= ? "
            "WHERE a.user_nid = ? AND a.membership = 1",
            (*window, user),
        )

    def rooms_with(self, user: UserNid, rooms: Collection[RoomNid] | None = None) -> dict[RoomNid, bool]:
        """The rooms whose state speaks of the user, or those among `rooms`, and whether they are joined now."""
        if rooms is None:
            found = self._database.rows("SELECT room_nid, membership FROM memberships WHERE user_nid = ?", (user,))
        else:
            found = self._database.rows_in(
                "SELECT room_nid, membership FROM memberships WHERE room_nid IN ({}) AND user_nid = ?",
                rooms,
                after=(user,),
            )
        return {room: membership == 1 for room, membership in found}

    def member_changes(self, rooms: Collection[RoomNid], member_type: TextNid, since: int) -> list[MemberChange]:
        """Every change of a membership in these rooms after `since`, in order."""
        rows = self._database.rows_in(
            "SELECT l.position, l.subject, c.state_key_nid, c.old_nid, c.new_nid, c.line_index FROM log l "
            "JOIN state_deltas d ON d.delta_nid = l.reference "
            "JOIN state_changes c ON c.line_nid = d.line_nid AND c.line_index > d.after_index "
            "AND c.line_index <= d.upto_index "
            "WHERE l.subject IN ({}) AND l.kind = ? AND l.position > ? AND c.type_nid = ?",
            rooms,
            after=(int(Kind.STATE_DELTA), since, member_type),
        )
        rows.sort(key=lambda row: (row[0], row[5]))
        return [MemberChange(*row[:5]) for row in rows]

    def joined(self, rooms: Collection[RoomNid]) -> list[tuple[RoomNid, UserNid]]:
        """(room, user) of everybody joined to these rooms now."""
        return self._database.rows_in(
            "SELECT room_nid, user_nid FROM memberships WHERE room_nid IN ({}) AND membership = 1", rooms
        )

    def joined_pairs(self, user: UserNid, others: Collection[UserNid]) -> list[tuple[RoomNid, UserNid]]:
        """(room, other) wherever one of `others` is joined now to a room whose state speaks of `user`."""
        return self._database.rows_in(
            "SELECT b.room_nid, b.user_nid FROM memberships b "
            "JOIN memberships a ON a.room_nid = b.room_nid AND a.user_nid = ? "
            "WHERE b.user_nid IN ({}) AND b.membership = 1",
            others,
            before=(user,),
        )

    def sharing(self, user: UserNid, among: Collection[UserNid] | None = None) -> set[UserNid]:
        """Those who are joined now to a room the user is joined to, the user apart; all, or some of `among`."""
        select = (
            "SELECT DISTINCT b.user_nid FROM memberships a "
            "JOIN memberships b ON b.room_nid = a.room_nid AND b.membership = 1 "
            "WHERE a.user_nid = ? AND a.membership = 1"
        )
        if among is None:
            rows = self._database.rows(select, (user,))
        else:
            rows = self._database.rows_in(f"{select} AND b.user_nid IN ({{}})", among, before=(user,))
        return {row[0] for row in rows} - {user}

    def pdus(self, events: Collection[EventNid]) -> dict[EventNid, bytes]:
        """The stored form of events by number."""
        return dict(self._database.rows_in("SELECT event_nid, pdu FROM events WHERE event_nid IN ({})", events))

    def horizon_is_past(self, since: int) -> bool:
        """Whether lines that would be needed to look back to `since` have been dropped."""
        found = self._database.value("SELECT value FROM sequences WHERE name = 'log_horizon'")
        return int(found or 0) > since
