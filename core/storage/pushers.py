"""Pushers, and what is to be pushed: a short queue for each, durable, so that a restart loses no notification.

A pusher belongs to the device that set it and goes with it. Spec: Client-Server API, "Push Notifications".
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from core.ids import EventNid, RoomNid, UserNid
from core.storage.database import Database, Row
from core.storage.sql import marks
from core.storage.tables import BigIntegerField, BytesField, MatrixStringField, Table
from core.storage.transaction import Transaction, advance

HTTP, MAIL = "http", "email"
"""The kinds of pushers."""
MAIL_APP = "m.email"
"""The app id of every pusher that mails."""
MAX_PUSHERS = 100
"""Pushers one user may have; setting another removes the oldest."""
MAX_QUEUED = 20
"""So many notifications wait for a pusher whose gateway does not answer; the oldest are dropped."""


class PusherRow(Table):
    """One pusher. `device_nid` is 0 for one set without a device; times are 0 where nothing of the sort happened."""

    pusher_nid = BigIntegerField(primary_key=True)
    user_nid = BigIntegerField()
    app_id = MatrixStringField(256)
    pushkey = MatrixStringField(512)
    kind = MatrixStringField(16)
    device_nid = BigIntegerField()
    details = BytesField()
    set_ms = BigIntegerField()
    last_success_ms = BigIntegerField()
    failing_since_ms = BigIntegerField()

    class Meta:
        table_name = "pushers"
        indexes = ((("user_nid", "app_id", "pushkey"), True), (("app_id", "pushkey"), False))


class PushRow(Table):
    """A notification that waits for its pusher. `event_nid` 0 says only that the badge changed. `tweaks` is JSON."""

    push_nid = BigIntegerField(primary_key=True)
    pusher_nid = BigIntegerField()
    event_nid = BigIntegerField()
    tweaks = BytesField()

    class Meta:
        table_name = "pushes"
        indexes = ((("pusher_nid", "push_nid"), False),)


@dataclass(frozen=True, slots=True)
class Pusher:
    """A pusher. `details` is JSON: what the client sent of it beyond these fields."""

    pusher_nid: int
    user_nid: UserNid
    app_id: str
    pushkey: str
    kind: str
    device_nid: int
    details: bytes
    set_ms: int
    last_success_ms: int = 0
    failing_since_ms: int = 0


@dataclass(frozen=True, slots=True)
class Push:
    """A notification that waits."""

    push_nid: int
    pusher_nid: int
    event_nid: EventNid
    tweaks: bytes


_COLUMNS = "pusher_nid, user_nid, app_id, pushkey, kind, device_nid, details, set_ms, last_success_ms, failing_since_ms"


class PusherStore:
    """Reads and writes pushers and their queues."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._insert = database.dialect.insert(PusherRow)
        self._insert_push = database.dialect.insert(PushRow)

    def of_user(self, user: UserNid) -> list[Pusher]:
        """A user's pushers, oldest first."""
        rows = self._database.rows(f"SELECT {_COLUMNS} FROM pushers WHERE user_nid = ? ORDER BY pusher_nid", (user,))
        return [_pusher(row) for row in rows]

    def find(self, pusher_nid: int) -> Pusher | None:
        """One pusher, or None."""
        row = self._database.row(f"SELECT {_COLUMNS} FROM pushers WHERE pusher_nid = ?", (pusher_nid,))
        return None if row is None else _pusher(row)

    def in_room(self, room: RoomNid) -> list[tuple[UserNid, int, bool, str]]:
        """(user, pusher, whether they are joined, kind) for all who are joined to a room, or invited, and have pushers."""
        return self._database.rows(
            "SELECT p.user_nid, p.pusher_nid, m.membership = 1, p.kind FROM memberships m "
            "JOIN pushers p ON p.user_nid = m.user_nid WHERE m.room_nid = ? AND m.membership IN (1, 2)",
            (room,),
        )

    def with_badge(self, users: Collection[UserNid]) -> list[int]:
        """The pushers of some users that show how much is unread."""
        rows = self._database.rows_in(
            "SELECT pusher_nid FROM pushers WHERE user_nid IN ({}) AND kind = ?", users, after=(HTTP,)
        )
        return [row[0] for row in rows]

    def waiting(self, kind: str) -> list[int]:
        """The pushers of a kind for whom something waits."""
        rows = self._database.rows(
            "SELECT DISTINCT w.pusher_nid FROM pushes w JOIN pushers p ON p.pusher_nid = w.pusher_nid WHERE p.kind = ?",
            (kind,),
        )
        return [row[0] for row in rows]

    def queue(self, pusher_nid: int) -> list[Push]:
        """What waits for a pusher, oldest first."""
        rows = self._database.rows(
            "SELECT push_nid, pusher_nid, event_nid, tweaks FROM pushes WHERE pusher_nid = ? ORDER BY push_nid",
            (pusher_nid,),
        )
        return [Push(*row) for row in rows]

    def set(self, transaction: Transaction, pusher: Pusher, keeps_others: bool) -> None:
        """Write a pusher in place of the user's with its app id and pushkey; others' go unless `keeps_others`."""
        where, key = "app_id = ? AND pushkey = ?", (pusher.app_id, pusher.pushkey)
        if not keeps_others:
            self._remove_where(transaction, f"{where} AND user_nid <> ?", (*key, pusher.user_nid))
        self._remove_where(transaction, f"{where} AND user_nid = ?", (*key, pusher.user_nid))
        count = transaction.value("SELECT COUNT(*) FROM pushers WHERE user_nid = ?", (pusher.user_nid,))
        if count >= MAX_PUSHERS:
            oldest = transaction.value("SELECT MIN(pusher_nid) FROM pushers WHERE user_nid = ?", (pusher.user_nid,))
            self.remove(transaction, oldest)
        nid = advance(transaction, "pushers", 1)
        row = (pusher.user_nid, *key, pusher.kind, pusher.device_nid, pusher.details, pusher.set_ms, 0, 0)
        transaction.add(self._insert, (nid, *row))

    def remove(self, transaction: Transaction, pusher_nid: int) -> None:
        """Delete one pusher with what waits for it."""
        self._remove_where(transaction, "pusher_nid = ?", (pusher_nid,))

    def remove_of_user(self, transaction: Transaction, user: UserNid, app_id: str, pushkey: str) -> None:
        """Delete the pusher a user names."""
        self._remove_where(transaction, "user_nid = ? AND app_id = ? AND pushkey = ?", (user, app_id, pushkey))

    def remove_of_devices(self, transaction: Transaction, user: UserNid, device_nids: Sequence[int]) -> None:
        """Devices are removed: a listener for core.storage.devices."""
        nids = list(device_nids)
        self._remove_where(transaction, f"user_nid = ? AND device_nid IN ({marks(len(nids))})", (user, *nids))

    def add(self, transaction: Transaction, pushes: Sequence[tuple[int, EventNid, bytes]]) -> None:
        """Queue (pusher, event, tweaks); of each pusher's queue the newest MAX_QUEUED stay, and one change of badge."""
        first = advance(transaction, "pushes", len(pushes)) - len(pushes) + 1
        touched = list(dict.fromkeys(pusher for pusher, _, _ in pushes))
        for pusher in touched:
            transaction.run("DELETE FROM pushes WHERE pusher_nid = ? AND event_nid = 0", (pusher,))
        transaction.add_all(self._insert_push, [(first + place, *push) for place, push in enumerate(pushes)])
        for pusher in touched:
            last = transaction.value(
                "SELECT push_nid FROM pushes WHERE pusher_nid = ? ORDER BY push_nid DESC LIMIT 1 OFFSET ?",
                (pusher, MAX_QUEUED),
            )
            if last is not None:
                transaction.run("DELETE FROM pushes WHERE pusher_nid = ? AND push_nid <= ?", (pusher, last))

    def done(self, transaction: Transaction, push: Push, now_ms: int) -> None:
        """A notification, and what waited before it, has been taken."""
        transaction.run("DELETE FROM pushes WHERE pusher_nid = ? AND push_nid <= ?", (push.pusher_nid, push.push_nid))
        transaction.run(
            "UPDATE pushers SET last_success_ms = ?, failing_since_ms = 0 WHERE pusher_nid = ?",
            (now_ms, push.pusher_nid),
        )

    def failed(self, transaction: Transaction, pusher_nid: int, now_ms: int) -> None:
        """The gateway did not."""
        transaction.run(
            "UPDATE pushers SET failing_since_ms = ? WHERE pusher_nid = ? AND failing_since_ms = 0",
            (now_ms, pusher_nid),
        )

    def drop(self, transaction: Transaction, pushes: Sequence[Push]) -> None:
        """Some notifications are not worth sending any more."""
        transaction.run(
            f"DELETE FROM pushes WHERE push_nid IN ({marks(len(pushes))})", [push.push_nid for push in pushes]
        )

    def remove_of_address(self, transaction: Transaction, user: UserNid, address: str) -> None:
        """Mails to an address that is not the user's any more end: a listener for core.storage.threepids."""
        self._remove_where(transaction, "user_nid = ? AND kind = ? AND pushkey = ?", (user, MAIL, address))

    @staticmethod
    def _remove_where(transaction: Transaction, where: str, params: Sequence[object]) -> None:
        transaction.run(
            f"DELETE FROM pushes WHERE pusher_nid IN (SELECT pusher_nid FROM pushers WHERE {where})", params
        )
        transaction.run(f"DELETE FROM pushers WHERE {where}", params)


def _pusher(row: Row) -> Pusher:
    return Pusher(*row)
