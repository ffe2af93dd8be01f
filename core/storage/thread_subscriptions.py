"""Which threads a user wants to hear of, and which no more. Spec: MSC4306.

A row stays when its user unsubscribes, so that their other devices learn of it; a change is a line of the log.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from core.ids import EventId, RoomNid, UserNid
from core.storage.database import Database
from core.storage.log import Kind
from core.storage.tables import BigIntegerField, MatrixStringField, SmallIntegerField, Table
from core.storage.transaction import Transaction, advance


class ThreadSubscriptionRow(Table):
    """One thread of one user. `changed_position` is how far the log went when it was last changed."""

    subscription_nid = BigIntegerField(primary_key=True)
    user_nid = BigIntegerField()
    room_nid = BigIntegerField()
    root_id = MatrixStringField(255)
    is_subscribed = SmallIntegerField()
    is_automatic = SmallIntegerField()
    changed_position = BigIntegerField()

    class Meta:
        table_name = "thread_subscriptions"
        indexes = ((("user_nid", "room_nid", "root_id"), True),)


@dataclass(frozen=True, slots=True)
class ThreadSubscription:
    """A user's word about a thread, or a guess of their client (`is_automatic`)."""

    room_nid: RoomNid
    root_id: EventId
    is_subscribed: bool
    is_automatic: bool
    changed_position: int


_COLUMNS = "s.room_nid, s.root_id, s.is_subscribed, s.is_automatic, s.changed_position"


class ThreadSubscriptionStore:
    """Reads and writes subscriptions."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._insert = database.dialect.insert(ThreadSubscriptionRow)

    def find(
        self, source: Database | Transaction, user: UserNid, room: RoomNid, root: EventId
    ) -> ThreadSubscription | None:
        """What is known of one thread."""
        row = source.row(
            f"SELECT {_COLUMNS} FROM thread_subscriptions s WHERE s.user_nid = ? AND s.room_nid = ? AND s.root_id = ?",
            (user, room, root),
        )
        return None if row is None else _subscription(row)

    def set(self, transaction: Transaction, user: UserNid, subscription: ThreadSubscription) -> None:
        """Write one, and tell the user's devices."""
        one = subscription
        values = (int(one.is_subscribed), int(one.is_automatic), one.changed_position)
        nid = transaction.value(
            "SELECT subscription_nid FROM thread_subscriptions WHERE user_nid = ? AND room_nid = ? AND root_id = ?",
            (user, one.room_nid, one.root_id),
        )
        if nid is None:
            nid = advance(transaction, "thread_subscriptions", 1)
            transaction.add(self._insert, (nid, user, one.room_nid, one.root_id, *values))
        else:
            transaction.run(
                "UPDATE thread_subscriptions SET is_subscribed = ?, is_automatic = ?, changed_position = ? "
                "WHERE subscription_nid = ?",
                (*values, nid),
            )
        transaction.log(Kind.THREAD_SUBSCRIPTION, user, nid)

    def count(self, transaction: Transaction, user: UserNid) -> int:
        """How many a user has."""
        return int(transaction.value("SELECT COUNT(*) FROM thread_subscriptions WHERE user_nid = ?", (user,)))

    def changed(self, user: UserNid, since: int, upto: int, limit: int) -> list[tuple[int, ThreadSubscription]]:
        """(position, subscription) of those last changed in the positions (since, upto], the newest `limit` first."""
        rows = self._database.rows(
            f"SELECT {_COLUMNS}, l.position FROM log l JOIN thread_subscriptions s ON s.subscription_nid = l.reference "
            "WHERE l.subject = ? AND l.kind = ? AND l.position > ? AND l.position <= ? ORDER BY l.position DESC LIMIT ?",
            (user, int(Kind.THREAD_SUBSCRIPTION), since, upto, limit),
        )
        return [(row[5], _subscription(row)) for row in rows]


def _subscription(row: Collection[object]) -> ThreadSubscription:
    room, root, is_subscribed, is_automatic, position = list(row)[:5]
    return ThreadSubscription(
        RoomNid(room),  # type: ignore[arg-type]  # an integer column
        EventId(str(root)),
        bool(is_subscribed),
        bool(is_automatic),
        int(position),  # type: ignore[call-overload]  # an integer column
    )
