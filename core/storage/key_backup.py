"""Key backups: versions, each with how it is encrypted, and the room keys that clients stored in them.

What the keys say is encrypted by the clients; stored are their own words on how good each copy is, which decide whether
another copy replaces it. Counts and etags are kept with the version, in the transaction that changes the keys.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from peewee import CompositeKey

from core.ids import UserNid
from core.storage.database import IDS_PER_QUERY, Database
from core.storage.sql import marks
from core.storage.tables import BigIntegerField, BytesField, MatrixStringField, SmallIntegerField, Table
from core.storage.writer import Transaction


class BackupVersionRecord(Table):
    """A version of a user's backup. A deleted one stays as a row, so that its number is never used again."""

    user_nid = BigIntegerField()
    version = BigIntegerField()
    algorithm = MatrixStringField(255)
    auth_data = BytesField()
    etag = BigIntegerField(default=0)
    key_count = BigIntegerField(default=0)
    is_deleted = SmallIntegerField(default=0)

    class Meta:
        table_name = "key_backup_versions"
        primary_key = CompositeKey("user_nid", "version")
        without_rowid = True


class BackedUpKeyRecord(Table):
    """One room key in one version. `session_data` is a JSON object."""

    user_nid = BigIntegerField()
    version = BigIntegerField()
    session_id = MatrixStringField(255)
    room_id = MatrixStringField(255)
    first_message_index = BigIntegerField()
    forwarded_count = BigIntegerField()
    is_verified = SmallIntegerField()
    session_data = BytesField()

    class Meta:
        table_name = "key_backup_keys"
        primary_key = CompositeKey("user_nid", "version", "session_id", "room_id")
        without_rowid = True
        indexes = ((("user_nid", "version", "room_id"), False),)


@dataclass(frozen=True, slots=True)
class BackupVersion:
    """A version as it stands. `auth_data` is a JSON object."""

    version: int
    algorithm: str
    auth_data: bytes
    etag: int
    key_count: int
    is_deleted: bool


@dataclass(frozen=True, slots=True)
class BackedUpKey:
    """A room key with what decides whether it is the better copy."""

    room_id: str
    session_id: str
    first_message_index: int
    forwarded_count: int
    is_verified: bool
    session_data: bytes

    def is_better_than(self, other: BackedUpKey) -> bool:
        """Whether this copy replaces `other`. Spec: Client-Server API, "Server-side key backups"."""
        return self._merit() < other._merit()

    def _merit(self) -> tuple[bool, int, int]:
        return (not self.is_verified, self.first_message_index, self.forwarded_count)


_VERSION = "version, algorithm, auth_data, etag, key_count, is_deleted"
_KEY = "room_id, session_id, first_message_index, forwarded_count, is_verified, session_data"


class KeyBackupStore:
    """Reads and writes backups. Transactions are the caller's."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._put_version = database.dialect.upsert(BackupVersionRecord)
        self._put_key = database.dialect.upsert(BackedUpKeyRecord)
        self._lock = database.dialect.for_update

    def find(self, user_nid: UserNid, version: int | None) -> BackupVersion | None:
        """A version, deleted ones included; the newest that is not deleted for None."""
        return self._find(self._database, user_nid, version, "")

    def find_in(self, transaction: Transaction, user_nid: UserNid, version: int | None) -> BackupVersion | None:
        """As `find`, seen from inside the writer, with the row locked."""
        return self._find(transaction, user_nid, version, self._lock)

    def last_version_in(self, transaction: Transaction, user_nid: UserNid) -> int:
        """The highest number given to a version of this user, 0 where there is none."""
        found = transaction.value("SELECT MAX(version) FROM key_backup_versions WHERE user_nid = ?", (user_nid,))
        return int(found or 0)

    def put(self, transaction: Transaction, user_nid: UserNid, version: BackupVersion) -> None:
        """Write a version's row, new or changed."""
        row = (version.algorithm, version.auth_data, version.etag, version.key_count, int(version.is_deleted))
        transaction.add(self._put_version, (user_nid, version.version, *row))

    def keys(
        self, user_nid: UserNid, version: int, room_id: str | None = None, session_id: str | None = None
    ) -> list[BackedUpKey]:
        """The keys of a version, or of one room or session of it, by room and session."""
        where, params = _where(user_nid, version, room_id, session_id)
        rows = self._database.rows(
            f"SELECT {_KEY} FROM key_backup_keys WHERE {where} ORDER BY room_id, session_id", params
        )
        return [_key(row) for row in rows]

    def keys_in(
        self, transaction: Transaction, user_nid: UserNid, version: int, session_ids: Collection[str]
    ) -> dict[tuple[str, str], BackedUpKey]:
        """The keys of these sessions by (room, session), seen from inside the writer; their data is left out."""
        listed, found = list(session_ids), {}
        for start in range(0, len(listed), IDS_PER_QUERY):
            chunk = listed[start : start + IDS_PER_QUERY]
            rows = transaction.rows(
                "SELECT room_id, session_id, first_message_index, forwarded_count, is_verified, '' "
                "FROM key_backup_keys "
                f"WHERE user_nid = ? AND version = ? AND session_id IN ({marks(len(chunk))})",
                (user_nid, version, *chunk),
            )
            found.update({(row[0], row[1]): _key(row) for row in rows})
        return found

    def put_keys(self, transaction: Transaction, user_nid: UserNid, version: int, keys: Sequence[BackedUpKey]) -> None:
        """Write keys, in place of what the version has of the same sessions."""
        transaction.add_all(
            self._put_key,
            [
                (
                    user_nid,
                    version,
                    key.session_id,
                    key.room_id,
                    key.first_message_index,
                    key.forwarded_count,
                    int(key.is_verified),
                    key.session_data,
                )
                for key in keys
            ],
        )

    def remove_keys(
        self,
        transaction: Transaction,
        user_nid: UserNid,
        version: int,
        room_id: str | None = None,
        session_id: str | None = None,
    ) -> int:
        """Drop the keys of a version, or of one room or session of it; how many there were."""
        where, params = _where(user_nid, version, room_id, session_id)
        return transaction.run(f"DELETE FROM key_backup_keys WHERE {where}", params)

    def remove_all(self, transaction: Transaction, user_nid: UserNid) -> None:
        """Drop every version of a user whose account ends, with its keys."""
        transaction.run("DELETE FROM key_backup_keys WHERE user_nid = ?", (user_nid,))
        transaction.run("DELETE FROM key_backup_versions WHERE user_nid = ?", (user_nid,))

    def _find(
        self, source: Database | Transaction, user_nid: UserNid, version: int | None, lock: str
    ) -> BackupVersion | None:
        select = f"SELECT {_VERSION} FROM key_backup_versions WHERE user_nid = ?"
        if version is None:
            row = source.row(f"{select} AND is_deleted = 0 ORDER BY version DESC LIMIT 1{lock}", (user_nid,))
        else:
            row = source.row(f"{select} AND version = ?{lock}", (user_nid, version))
        if row is None:
            return None
        values = (*row[:5], bool(row[5]))
        return BackupVersion(*values)


def _where(
    user_nid: UserNid, version: int, room_id: str | None, session_id: str | None
) -> tuple[str, tuple[int | str, ...]]:
    where, params = "user_nid = ? AND version = ?", (user_nid, version)
    if room_id is None:
        return where, params
    if session_id is None:
        return f"{where} AND room_id = ?", (*params, room_id)
    return f"{where} AND session_id = ? AND room_id = ?", (*params, session_id, room_id)


def _key(row: Sequence[object]) -> BackedUpKey:
    room_id, session_id, first_message_index, forwarded_count, is_verified, session_data = row
    return BackedUpKey(
        str(room_id),
        str(session_id),
        int(first_message_index),  # type: ignore[call-overload]  # a row is untyped
        int(forwarded_count),  # type: ignore[call-overload]  # a row is untyped
        bool(is_verified),
        session_data or b"",  # type: ignore[arg-type]  # a row is untyped
    )
