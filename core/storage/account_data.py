"""Account data: what a user's clients keep on the server, for the account or for a room, private to the user.

A room need not be known here, so its id is kept as it is; '' stands for the account itself.
Spec: Client-Server API, "Client Config".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection

from core.ids import RoomId, UserNid
from core.storage.database import Database
from core.storage.log import Kind
from core.storage.sql import marks
from core.storage.tables import BigIntegerField, BytesField, MatrixStringField, Table
from core.storage.writer import Transaction, advance

GLOBAL = RoomId("")
"""Where a room id is asked for: the account's own data."""


class AccountDataRecord(Table):
    """One piece of account data, as JSON."""

    data_nid = BigIntegerField(primary_key=True)
    user_nid = BigIntegerField()
    room_id = MatrixStringField(255)
    type = MatrixStringField(255)
    content = BytesField()

    class Meta:
        table_name = "account_data"
        indexes = ((("user_nid", "room_id", "type"), True),)


TypedContents = list[tuple[str, bytes]]
"""(type, content as JSON)."""


class AccountDataStore:
    """Reads and writes account data. A change is told as an ACCOUNT_DATA or ROOM_ACCOUNT_DATA line."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._insert = database.dialect.insert(AccountDataRecord)

    def find(self, user_nid: UserNid, type: str, room_id: RoomId = GLOBAL) -> bytes | None:
        """The content of one type, as JSON, or None."""
        content: bytes | None = self._database.value(
            "SELECT content FROM account_data WHERE user_nid = ? AND room_id = ? AND type = ?",
            (user_nid, room_id, type),
        )
        return content

    def contents_of(self, nids: Collection[int]) -> dict[int, bytes]:
        """The contents, as JSON, by the numbers that log lines refer to; those that are gone are left out."""
        if not nids:
            return {}
        sql = f"SELECT data_nid, content FROM account_data WHERE data_nid IN ({marks(len(nids))})"
        return {row[0]: row[1] for row in self._database.rows(sql, tuple(nids))}

    def all(self, user_nid: UserNid) -> TypedContents:
        """All of the account's own data."""
        rows = self._database.rows(
            "SELECT type, content FROM account_data WHERE user_nid = ? AND room_id = ?", (user_nid, GLOBAL)
        )
        return [(type, content) for type, content in rows]

    def all_in_rooms(
        self, user_nid: UserNid, room_ids: Collection[RoomId] | None = None
    ) -> dict[RoomId, TypedContents]:
        """The data of some rooms, or of all."""
        sql = "SELECT room_id, type, content FROM account_data WHERE user_nid = ? AND room_id "
        if room_ids is None:
            rows = self._database.rows(f"{sql} <> ?", (user_nid, GLOBAL))
        else:
            rows = self._database.rows_in(f"{sql} IN ({{}})", room_ids, before=(user_nid,))
        found: dict[RoomId, TypedContents] = defaultdict(list)
        for room_id, type, content in rows:
            found[room_id].append((type, content))
        return dict(found)

    def changed(self, user_nid: UserNid, since: int, upto: int) -> TypedContents:
        """The account's own data that changed in the positions (since, upto], oldest change first."""
        rows = self._changed(Kind.ACCOUNT_DATA, user_nid, since, upto)
        return [(type, content) for _, type, content in rows]

    def changed_in_rooms(self, user_nid: UserNid, since: int, upto: int) -> dict[RoomId, TypedContents]:
        """The rooms' data that changed in the positions (since, upto], oldest change first."""
        found: dict[RoomId, TypedContents] = defaultdict(list)
        for room_id, type, content in self._changed(Kind.ROOM_ACCOUNT_DATA, user_nid, since, upto):
            found[room_id].append((type, content))
        return dict(found)

    def count_in(self, transaction: Transaction, user_nid: UserNid, room_id: RoomId) -> int:
        """How many types a user has, in one room or for the account."""
        count = transaction.value(
            "SELECT COUNT(*) FROM account_data WHERE user_nid = ? AND room_id = ?", (user_nid, room_id)
        )
        return int(count)

    def find_nid_in(self, transaction: Transaction, user_nid: UserNid, type: str, room_id: RoomId) -> int | None:
        """The number of a piece of data that exists, seen from inside the writer."""
        nid: int | None = transaction.value(
            "SELECT data_nid FROM account_data WHERE user_nid = ? AND room_id = ? AND type = ?",
            (user_nid, room_id, type),
        )
        return nid

    def find_in(self, transaction: Transaction, user_nid: UserNid, type: str, room_id: RoomId = GLOBAL) -> bytes | None:
        """As `find`, seen from inside the writer."""
        content: bytes | None = transaction.value(
            "SELECT content FROM account_data WHERE user_nid = ? AND room_id = ? AND type = ?",
            (user_nid, room_id, type),
        )
        return content

    def set(
        self, transaction: Transaction, user_nid: UserNid, type: str, content: bytes, room_id: RoomId = GLOBAL
    ) -> None:
        """Replace the content of one type."""
        nid = self.find_nid_in(transaction, user_nid, type, room_id)
        if nid is None:
            nid = advance(transaction, "account_data", 1)
            transaction.add(self._insert, (nid, user_nid, room_id, type, content))
        else:
            transaction.add("UPDATE account_data SET content = ? WHERE data_nid = ?", (content, nid))
        kind = Kind.ACCOUNT_DATA if room_id == GLOBAL else Kind.ROOM_ACCOUNT_DATA
        transaction.log(kind, user_nid, nid, replaces=True)

    def remove_all(self, transaction: Transaction, user_nid: UserNid) -> None:
        """Delete everything of a user, who is gone: nobody is told."""
        transaction.run("DELETE FROM account_data WHERE user_nid = ?", (user_nid,))

    def _changed(self, kind: Kind, user_nid: UserNid, since: int, upto: int) -> list[tuple[RoomId, str, bytes]]:
        rows = self._database.rows(
            "SELECT a.room_id, a.type, a.content FROM log l JOIN account_data a ON a.data_nid = l.reference "
            "WHERE l.subject = ? AND l.kind = ? AND l.position > ? AND l.position <= ? ORDER BY l.position",
            (user_nid, kind, since, upto),
        )
        return [(room_id, type, content) for room_id, type, content in rows]
