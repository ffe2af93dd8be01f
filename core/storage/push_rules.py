"""Push rules as users changed them: one row for each user who did, with only the differences from the defaults.

Users without a row are on the default rules, which is what makes counting for them cheap.
"""

from __future__ import annotations

from collections.abc import Collection

from core.ids import RoomNid, UserNid
from core.storage.database import Database
from core.storage.log import Kind
from core.storage.tables import BigIntegerField, BytesField, Table
from core.storage.transaction import Transaction


class PushRuleRow(Table):
    """What one user changed about their rules, as JSON; see core.push.rules for its form."""

    user_nid = BigIntegerField(primary_key=True)
    changes = BytesField()

    class Meta:
        table_name = "push_rules"


class PushRuleStore:
    """Reads and writes changes of rules. A change is told as a PUSH_RULES line of the user."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._put = database.dialect.upsert(PushRuleRow)

    def find(self, user_nid: UserNid) -> bytes | None:
        """What the user changed, or None for somebody on the default rules."""
        found: bytes | None = self._database.value("SELECT changes FROM push_rules WHERE user_nid = ?", (user_nid,))
        return found

    def find_in(self, transaction: Transaction, user_nid: UserNid) -> bytes | None:
        """As `find`, seen from inside the writer, the row locked."""
        found: bytes | None = transaction.value(
            f"SELECT changes FROM push_rules WHERE user_nid = ?{transaction.dialect.for_update}", (user_nid,)
        )
        return found

    def of_users(self, users: Collection[UserNid]) -> dict[UserNid, bytes]:
        """The changes of those of `users` who made any."""
        rows = self._database.rows_in("SELECT user_nid, changes FROM push_rules WHERE user_nid IN ({})", users)
        return {UserNid(user): changes for user, changes in rows}

    def in_room(self, room: RoomNid) -> list[UserNid]:
        """Who is joined to a room and has rules other than the defaults."""
        rows = self._database.rows(
            "SELECT p.user_nid FROM memberships m JOIN push_rules p ON p.user_nid = m.user_nid "
            "WHERE m.room_nid = ? AND m.membership = 1",
            (room,),
        )
        return [UserNid(row[0]) for row in rows]

    def set(self, transaction: Transaction, user_nid: UserNid, changes: bytes | None) -> None:
        """Replace what the user changed; None puts them back on the defaults."""
        if changes is None:
            transaction.run("DELETE FROM push_rules WHERE user_nid = ?", (user_nid,))
        else:
            transaction.add(self._put, (user_nid, changes))
        transaction.log(Kind.PUSH_RULES, user_nid, user_nid)
