"""Who is in which room: the current membership of every user, what users forgot, and invites to rooms we are not in.

Written by append from state deltas, in its own transaction; nobody derives memberships from member events.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from peewee import CompositeKey

from core.ids import EventNid, RoomNid, UserNid
from core.storage.database import Database
from core.storage.events import rows_in
from core.storage.sql import marks
from core.storage.tables import BigIntegerField, BytesField, SmallIntegerField, Table
from core.storage.writer import Transaction

MEMBERSHIPS = ("", "join", "invite", "leave", "ban", "knock")
"""The memberships by the number they are stored as; '' where the key is empty or its content is nonsense."""
_NUMBER = {name: number for number, name in enumerate(MEMBERSHIPS)}
PRESENT = f"{_NUMBER['join']}, {_NUMBER['invite']}, {_NUMBER['knock']}"
"""The memberships of who is in a room or wants to be, for SQL."""


class MembershipRow(Table):
    """The member event of one user in the current state of one room. `since_index` is its place on the main line."""

    room_nid = BigIntegerField()
    user_nid = BigIntegerField()
    membership = SmallIntegerField()
    event_nid = BigIntegerField()
    since_index = BigIntegerField()

    class Meta:
        table_name = "memberships"
        primary_key = CompositeKey("room_nid", "user_nid")
        without_rowid = True
        indexes = ((("user_nid", "membership"), False),)


class ForgottenRow(Table):
    """A user forgot a room while `event_nid` was their member event; another member event brings the room back."""

    user_nid = BigIntegerField()
    room_nid = BigIntegerField()
    event_nid = BigIntegerField()

    class Meta:
        table_name = "forgotten_rooms"
        primary_key = CompositeKey("user_nid", "room_nid")
        without_rowid = True


class OutOfBandRow(Table):
    """An invite, knock, or the end of one, in a room we are not in. `stripped_state` is a JSON list as it came."""

    user_nid = BigIntegerField()
    room_nid = BigIntegerField()
    membership = SmallIntegerField()
    event_nid = BigIntegerField()
    stripped_state = BytesField()

    class Meta:
        table_name = "out_of_band_memberships"
        primary_key = CompositeKey("user_nid", "room_nid")
        without_rowid = True


@dataclass(frozen=True, slots=True)
class Membership:
    """One user in one room. `since_index` is the index of the room's main line at which it began."""

    room_nid: RoomNid
    user_nid: UserNid
    membership: str
    event_nid: EventNid
    since_index: int


@dataclass(frozen=True, slots=True)
class OutOfBand:
    """A local user's membership of a room that this server is not in."""

    room_nid: RoomNid
    user_nid: UserNid
    membership: str
    event_nid: EventNid
    stripped_state: bytes


_COLUMNS = "m.room_nid, m.user_nid, m.membership, m.event_nid, m.since_index"


class MembershipStore:
    """Memberships of current states."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._put = database.dialect.upsert(MembershipRow)
        self._forget = database.dialect.upsert(ForgottenRow)

    def of(self, room: RoomNid, user: UserNid) -> Membership | None:
        """A user's membership of a room, or None where the state has no member event for them."""
        found = self._read("WHERE m.room_nid = ? AND m.user_nid = ?", (room, user))
        return found[0] if found else None

    def of_many(self, room: RoomNid, users: Collection[UserNid]) -> dict[UserNid, Membership]:
        """The memberships of some users, those without one left out."""
        sql = f"SELECT {_COLUMNS} FROM memberships m WHERE m.user_nid IN ({{}}) AND m.room_nid = ? AND m.membership > 0"
        rows = self._database.rows_in(sql, users, after=(room,))
        return {member.user_nid: member for member in map(_membership, rows)}

    def rooms_of(
        self, user: UserNid, memberships: Collection[str] = ("join",), with_forgotten: bool = False
    ) -> list[Membership]:
        """The rooms in which the user has one of `memberships`; those they forgot only `with_forgotten`."""
        unforgotten = (
            ""
            if with_forgotten
            else (
                " AND NOT EXISTS (SELECT 1 FROM forgotten_rooms f WHERE f.user_nid = m.user_nid "
                "AND f.room_nid = m.room_nid AND f.event_nid = m.event_nid)"
            )
        )
        wanted = [_NUMBER[name] for name in memberships]
        return self._read(
            f"WHERE m.user_nid = ? AND m.membership IN ({marks(len(wanted))}){unforgotten}", (user, *wanted)
        )

    def members(self, room: RoomNid, memberships: Collection[str] = ("join",)) -> list[Membership]:
        """The users who have one of `memberships` in the room."""
        wanted = [_NUMBER[name] for name in memberships]
        return self._read(f"WHERE m.room_nid = ? AND m.membership IN ({marks(len(wanted))})", (room, *wanted))

    def member_events(self, room: RoomNid, memberships: Collection[str]) -> list[EventNid]:
        """The member events behind these memberships of a room."""
        wanted = [_NUMBER[name] for name in memberships if name]
        if not wanted:
            return []
        sql = f"SELECT event_nid FROM memberships WHERE room_nid = ? AND membership IN ({marks(len(wanted))})"
        return [row[0] for row in self._database.rows(sql, (room, *wanted))]

    def shared_rooms(self, user: UserNid, other: UserNid) -> list[RoomNid]:
        """The rooms in which both users are joined."""
        rows = self._database.rows(
            "SELECT a.room_nid FROM memberships a JOIN memberships b ON b.room_nid = a.room_nid AND b.user_nid = ? "
            "AND b.membership = 1 WHERE a.user_nid = ? AND a.membership = 1",
            (other, user),
        )
        return [RoomNid(row[0]) for row in rows]

    def users_sharing(self, user: UserNid) -> list[UserNid]:
        """Everybody who is joined to a room that the user is joined to, the user included."""
        rows = self._database.rows(
            "SELECT DISTINCT b.user_nid FROM memberships a JOIN memberships b ON b.room_nid = a.room_nid "
            "AND b.membership = 1 WHERE a.user_nid = ? AND a.membership = 1",
            (user,),
        )
        return [UserNid(row[0]) for row in rows]

    def is_forgotten(self, room: RoomNid, user: UserNid) -> bool:
        """Whether the user forgot the room and nothing has happened to their membership since."""
        found = self._database.value(
            "SELECT 1 FROM forgotten_rooms f JOIN memberships m ON m.room_nid = f.room_nid AND m.user_nid = f.user_nid "
            "AND m.event_nid = f.event_nid WHERE f.user_nid = ? AND f.room_nid = ?",
            (user, room),
        )
        return found is not None

    def forget(self, transaction: Transaction, membership: Membership) -> None:
        """Remember that the user forgot the room; the caller logs it."""
        transaction.add(self._forget, (membership.user_nid, membership.room_nid, membership.event_nid))

    def put(self, transaction: Transaction, memberships: Sequence[Membership]) -> None:
        """Write memberships as the current state now has them; '' where it has none any more."""
        transaction.add_all(
            self._put,
            [(m.room_nid, m.user_nid, _NUMBER[m.membership], m.event_nid, m.since_index) for m in memberships],
        )

    def clear_room(self, transaction: Transaction, room: RoomNid) -> None:
        """Drop the memberships of a room that has no state."""
        transaction.run("DELETE FROM memberships WHERE room_nid = ?", (room,))

    def _read(self, where: str, params: Sequence[int]) -> list[Membership]:
        rows = self._database.rows(f"SELECT {_COLUMNS} FROM memberships m {where} AND m.membership > 0", params)
        return [_membership(row) for row in rows]


class OutOfBandStore:
    """Memberships of local users in rooms that this server is not in."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._put = database.dialect.upsert(OutOfBandRow)

    def of(self, user: UserNid, memberships: Collection[str] = ("invite", "knock")) -> list[OutOfBand]:
        """A user's out-of-band memberships."""
        wanted = [_NUMBER[name] for name in memberships]
        rows = self._database.rows(
            "SELECT room_nid, user_nid, membership, event_nid, stripped_state FROM out_of_band_memberships "
            f"WHERE user_nid = ? AND membership IN ({marks(len(wanted))})",
            (user, *wanted),
        )
        return [OutOfBand(row[0], row[1], MEMBERSHIPS[row[2]], row[3], row[4]) for row in rows]

    def by_events(self, events: Collection[EventNid]) -> dict[EventNid, OutOfBand]:
        """The memberships that these events brought and that still hold."""
        rows = rows_in(
            self._database,
            "SELECT room_nid, user_nid, membership, event_nid, stripped_state FROM out_of_band_memberships "
            "WHERE event_nid IN ({})",
            events,
        )
        return {row[3]: OutOfBand(row[0], row[1], MEMBERSHIPS[row[2]], row[3], row[4]) for row in rows}

    def put(self, transaction: Transaction, member: OutOfBand) -> None:
        """Write one; the caller logs it."""
        number = _NUMBER[member.membership]
        row = (member.user_nid, member.room_nid, number, member.event_nid, member.stripped_state)
        transaction.add(self._put, row)

    def remove_for_room(self, transaction: Transaction, room: RoomNid, users: Collection[UserNid]) -> None:
        """The room's own state speaks for these users from now on."""
        for user in users:
            transaction.run("DELETE FROM out_of_band_memberships WHERE user_nid = ? AND room_nid = ?", (user, room))


def membership_of(content: object) -> str:
    """The membership a member event's content sets, or '' where it is none of the specification's."""
    found = content.get("membership") if isinstance(content, dict) else None
    return found if isinstance(found, str) and found in _NUMBER else ""


def _membership(row: Sequence[int]) -> Membership:
    room, user, membership, event, since = row
    return Membership(RoomNid(room), UserNid(user), MEMBERSHIPS[membership], EventNid(event), since)
