"""Media: what each `mxc://` URI stands for, who uploaded it and who may have it.

A row without a file is an id that was reserved and waits for its upload. Several rows may share a file; see
core.storage.media_files. Flags are 0 or 1.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from core.ids import ServerName, UserNid
from core.storage.database import Database, Row
from core.storage.tables import BigIntegerField, MatrixStringField, SmallIntegerField, Table
from core.storage.transaction import Transaction


class MediaRow(Table):
    """One `mxc://` URI. `user_nid` is the uploader, null for another server's media."""

    media_nid = BigIntegerField(primary_key=True)
    origin = MatrixStringField(255)
    media_id = MatrixStringField(255)
    user_nid = BigIntegerField(null=True)
    file_id = MatrixStringField(48, null=True, index=True)
    content_type = MatrixStringField(255)
    name = MatrixStringField(1024, null=True)
    size_bytes = BigIntegerField()
    created_ms = BigIntegerField()
    expires_ms = BigIntegerField(null=True)
    seen_ms = BigIntegerField(null=True)
    quarantined_by = MatrixStringField(255, null=True)
    is_protected = SmallIntegerField()
    needs_auth = SmallIntegerField()
    may_inline = SmallIntegerField()

    class Meta:
        table_name = "media"
        indexes = ((("origin", "media_id"), True), (("user_nid", "created_ms"), False))


@dataclass(frozen=True, slots=True)
class StoredMedia:
    """What is known of an `mxc://` URI. `file_id` is None while its upload is awaited, until `expires_ms`."""

    media_nid: int
    origin: ServerName
    media_id: str
    user_nid: UserNid | None
    file_id: str | None
    content_type: str
    name: str | None
    size_bytes: int
    created_ms: int
    expires_ms: int | None
    seen_ms: int | None
    quarantined_by: str | None
    is_protected: bool
    needs_auth: bool
    may_inline: bool

    @property
    def mxc(self) -> str:
        """The URI."""
        return f"mxc://{self.origin}/{self.media_id}"


@dataclass(frozen=True, slots=True)
class UploadedAs:
    """What the uploader said of the content, and what we think of it."""

    content_type: str
    name: str | None
    size_bytes: int
    needs_auth: bool
    may_inline: bool


@dataclass(frozen=True, slots=True)
class UserUsage:
    """How much one user has uploaded."""

    user_nid: UserNid
    files: int
    total_bytes: int


_COLUMNS = (
    "media_nid, origin, media_id, user_nid, file_id, content_type, name, size_bytes, created_ms, expires_ms, seen_ms,"
    " quarantined_by, is_protected, needs_auth, may_inline"
)
_ORDERS = {
    "media_id": "media_id",
    "created_ts": "created_ms",
    "last_access_ts": "seen_ms",
    "media_length": "size_bytes",
    "media_type": "content_type",
    "upload_name": "name",
    "quarantined_by": "quarantined_by",
    "safe_from_quarantine": "is_protected",
}
"""What lists may be ordered by, as the administration API calls it."""


class MediaStore:
    """The rows. Writes go in the caller's job."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._insert = database.dialect.insert(MediaRow)

    def find(self, origin: str, media_id: str) -> StoredMedia | None:
        """What the URI stands for."""
        sql = f"SELECT {_COLUMNS} FROM media WHERE origin = ? AND media_id = ?"
        row = self._database.row(sql, (origin, media_id))
        return None if row is None else _stored(row)

    def find_file_of(self, transaction: Transaction, media_nid: int) -> tuple[bool, str | None]:
        """(whether the row is there, its file) as of now, locked until the commit."""
        sql = "SELECT file_id FROM media WHERE media_nid = ?" + transaction.dialect.for_update
        row = transaction.row(sql, (media_nid,))
        return (False, None) if row is None else (True, row[0])

    def add(
        self, transaction: Transaction, origin: str, media_id: str, user: UserNid | None, file_id: str, said: UploadedAs,
        now_ms: int,
    ) -> None:  # fmt: skip
        """Write media whose file is stored."""
        number = transaction.advance("media", 1)
        flags = (None, 0, int(said.needs_auth), int(said.may_inline))
        row = (number, origin, media_id, user, file_id, said.content_type, said.name, said.size_bytes, now_ms)
        transaction.run(self._insert, (*row, None, now_ms, *flags))

    def reserve(
        self, transaction: Transaction, origin: str, media_id: str, user: UserNid, now_ms: int, expires_ms: int
    ) -> None:
        """Write an id that waits for its upload."""
        number = transaction.advance("media", 1)
        row = (number, origin, media_id, user, None, "application/octet-stream", None, 0, now_ms, expires_ms, None)
        transaction.run(self._insert, (*row, None, 0, 1, 0))

    def fill(self, transaction: Transaction, media_nid: int, file_id: str, said: UploadedAs, now_ms: int) -> None:
        """Give a reserved id its file."""
        sql = (
            "UPDATE media SET file_id = ?, content_type = ?, name = ?, size_bytes = ?, created_ms = ?,"
            " expires_ms = NULL, seen_ms = ?, needs_auth = ?, may_inline = ? WHERE media_nid = ?"
        )
        flags = (int(said.needs_auth), int(said.may_inline))
        values = (file_id, said.content_type, said.name, said.size_bytes, now_ms, now_ms, *flags, media_nid)
        transaction.run(sql, values)

    def pending_of(self, transaction: Transaction, user: UserNid, now_ms: int) -> int:
        """How many reserved ids of a user still wait; those that waited too long are deleted."""
        gone = "DELETE FROM media WHERE user_nid = ? AND file_id IS NULL AND expires_ms <= ?"
        transaction.run(gone, (user, now_ms))
        sql = "SELECT COUNT(*) FROM media WHERE user_nid = ? AND file_id IS NULL"
        return int(transaction.value(sql, (user,)))

    def uploaded_since(self, user: UserNid, since_ms: int, transaction: Transaction | None = None) -> int:
        """Bytes a user has uploaded since then, deleted ones apart."""
        sql = "SELECT SUM(size_bytes) FROM media WHERE user_nid = ? AND created_ms > ?"
        return int((transaction or self._database).value(sql, (user, since_ms)) or 0)

    def note_seen(self, transaction: Transaction, seen: Mapping[int, int]) -> None:
        """Write when media was last asked for."""
        rows = [(seen_ms, nid, seen_ms) for nid, seen_ms in seen.items()]
        transaction.add_all("UPDATE media SET seen_ms = ? WHERE media_nid = ? AND seen_ms < ?", rows)

    def of_user(
        self, user: UserNid, start: int = 0, limit: int = 100, order_by: str = "created_ts", is_backward: bool = False
    ) -> list[StoredMedia]:
        """A page of a user's uploads; `order_by` is a name of the administration API."""
        direction = "DESC" if is_backward else "ASC"
        sql = (
            f"SELECT {_COLUMNS} FROM media WHERE user_nid = ? AND file_id IS NOT NULL"
            f" ORDER BY {_ORDERS[order_by]} {direction}, media_nid {direction} LIMIT ? OFFSET ?"
        )
        return [_stored(row) for row in self._database.rows(sql, (user, limit, start))]

    def count_of_user(self, user: UserNid) -> int:
        """How many files a user has uploaded."""
        sql = "SELECT COUNT(*) FROM media WHERE user_nid = ? AND file_id IS NOT NULL"
        return int(self._database.value(sql, (user,)))

    def older_than(
        self, before_ms: int, *, local: str | None, remote_to: str | None, above_bytes: int = 0, limit: int = 200,
        after: int = 0,
    ) -> list[StoredMedia]:  # fmt: skip
        """Media last asked for before then, quarantined and protected apart, past number `after`.

        `local` is the server's own name for its media, `remote_to` the same for all but its own.
        """
        side = "origin = ?" if local is not None else "origin <> ?"
        sql = (
            f"SELECT {_COLUMNS} FROM media WHERE {side} AND media_nid > ? AND file_id IS NOT NULL AND seen_ms < ?"
            " AND size_bytes >= ? AND quarantined_by IS NULL AND is_protected = 0 ORDER BY media_nid LIMIT ?"
        )
        name = local if local is not None else remote_to
        return [_stored(row) for row in self._database.rows(sql, (name, after, before_ms, above_bytes, limit))]

    def delete(self, transaction: Transaction, media: Sequence[StoredMedia]) -> list[str]:
        """Delete rows; returns the ids of the files they used, which may now be unused."""
        files = []
        for one in media:
            found, file_id = self.find_file_of(transaction, one.media_nid)
            if found:
                transaction.run("DELETE FROM media WHERE media_nid = ?", (one.media_nid,))
                files += [file_id] if file_id is not None else []
        return files

    def set_quarantine(self, transaction: Transaction, origin: str, media_id: str, by: str | None) -> int:
        """Quarantine media and all with the same content, protected ones apart; `by` None ends it. How many changed."""
        sql = "SELECT media_nid, file_id FROM media WHERE origin = ? AND media_id = ?"
        row = transaction.row(sql, (origin, media_id))
        if row is None:
            return 0
        if row[1] is None:
            where, value = "media_nid = ?", row[0]
        else:
            where, value = "file_id = ?", row[1]
        apart = "" if by is None else " AND is_protected = 0"
        return transaction.run(f"UPDATE media SET quarantined_by = ? WHERE {where}{apart}", (by, value))

    def set_protected(self, transaction: Transaction, origin: str, media_id: str, is_protected: bool) -> bool:
        """Keep media from quarantine and retention, or no longer; False where there is none."""
        sql = "SELECT media_nid FROM media WHERE origin = ? AND media_id = ?"
        number = transaction.value(sql, (origin, media_id))
        if number is None:
            return False
        transaction.run("UPDATE media SET is_protected = ? WHERE media_nid = ?", (int(is_protected), number))
        return True

    def usage_of_users(self, from_ms: int = 0, until_ms: int = 2**53) -> list[UserUsage]:
        """How much each user has uploaded within that time, most bytes first."""
        sql = (
            "SELECT user_nid, COUNT(*), SUM(size_bytes) FROM media WHERE file_id IS NOT NULL AND user_nid IS NOT NULL"
            " AND created_ms >= ? AND created_ms <= ? GROUP BY user_nid ORDER BY SUM(size_bytes) DESC"
        )
        return [UserUsage(row[0], int(row[1]), int(row[2])) for row in self._database.rows(sql, (from_ms, until_ms))]

    def usage_of_remote(self) -> tuple[int, int]:
        """(files, bytes) of other servers' media."""
        sql = "SELECT COUNT(*), SUM(size_bytes) FROM media WHERE file_id IS NOT NULL AND user_nid IS NULL"
        row = self._database.rows(sql)[0]
        return int(row[0]), int(row[1] or 0)

    def with_ids(self, origin: str, media_ids: Collection[str]) -> list[StoredMedia]:
        """Those of `media_ids` that exist."""
        sql = f"SELECT {_COLUMNS} FROM media WHERE origin = ? AND media_id IN ({{}})"
        return [_stored(row) for row in self._database.rows_in(sql, media_ids, before=(origin,))]


def is_order(name: str) -> bool:
    """Whether lists of media can be ordered by `name`."""
    return name in _ORDERS


def _stored(row: Row) -> StoredMedia:
    flags = [bool(flag) for flag in row[12:15]]
    return StoredMedia(*row[:12], *flags)
