"""Media: what each `mxc://` URI stands for, who uploaded it and who may have it.

A row without a file is an id that was reserved and waits for its upload. One with a file that expires was stored by the
server itself, for a while: the images of link previews. Several rows may share a file; see
core.storage.media_files. Flags are 0 or 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    expires_ms = BigIntegerField(null=True, index=True)
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

    @property
    def is_passing(self) -> bool:
        """Whether it is a file that the server stored for a while."""
        return self.file_id is not None and self.expires_ms is not None


@dataclass(frozen=True, slots=True)
class UploadedAs:
    """What the uploader said of the content, and what we think of it."""

    content_type: str
    name: str | None
    size_bytes: int
    needs_auth: bool
    may_inline: bool


COLUMNS = (
    "media_nid, origin, media_id, user_nid, file_id, content_type, name, size_bytes, created_ms, expires_ms, seen_ms,"
    " quarantined_by, is_protected, needs_auth, may_inline"
)


class MediaStore:
    """The rows. Writes go in the caller's job."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._insert = database.dialect.insert(MediaRow)

    def find(self, origin: str, media_id: str) -> StoredMedia | None:
        """What the URI stands for."""
        sql = f"SELECT {COLUMNS} FROM media WHERE origin = ? AND media_id = ?"
        row = self._database.row(sql, (origin, media_id))
        return None if row is None else stored_media(row)

    def is_there(self, transaction: Transaction, origin: str, media_id: str) -> bool:
        """Whether there is such a row as of now."""
        sql = "SELECT 1 FROM media WHERE origin = ? AND media_id = ?"
        return transaction.row(sql, (origin, media_id)) is not None

    def find_file_of(self, transaction: Transaction, media_nid: int) -> tuple[bool, str | None]:
        """(whether the row is there, its file) as of now, locked until the commit."""
        sql = "SELECT file_id FROM media WHERE media_nid = ?" + transaction.dialect.for_update
        row = transaction.row(sql, (media_nid,))
        return (False, None) if row is None else (True, row[0])

    def add(
        self, transaction: Transaction, origin: str, media_id: str, user: UserNid | None, file_id: str, said: UploadedAs,
        now_ms: int, expires_ms: int | None = None,
    ) -> None:  # fmt: skip
        """Write media whose file is stored; what has the content of media in quarantine is in quarantine, too."""
        number = transaction.advance("media", 1)
        flags = (_quarantine_of(transaction, file_id), 0, int(said.needs_auth), int(said.may_inline))
        row = (number, origin, media_id, user, file_id, said.content_type, said.name, said.size_bytes, now_ms)
        transaction.run(self._insert, (*row, expires_ms, now_ms, *flags))

    def reserve(
        self, transaction: Transaction, origin: str, media_id: str, user: UserNid, now_ms: int, expires_ms: int
    ) -> None:
        """Write an id that waits for its upload."""
        number = transaction.advance("media", 1)
        row = (number, origin, media_id, user, None, "application/octet-stream", None, 0, now_ms, expires_ms, None)
        transaction.run(self._insert, (*row, None, 0, 1, 0))

    def fill(self, transaction: Transaction, media_nid: int, file_id: str, said: UploadedAs, now_ms: int) -> None:
        """Give a reserved id its file; quarantine as in `add`."""
        sql = (
            "UPDATE media SET file_id = ?, content_type = ?, name = ?, size_bytes = ?, created_ms = ?, expires_ms = NULL,"
            " seen_ms = ?, quarantined_by = ?, needs_auth = ?, may_inline = ? WHERE media_nid = ?"
        )
        flags = (_quarantine_of(transaction, file_id), int(said.needs_auth), int(said.may_inline))
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

    def delete(self, transaction: Transaction, media: Sequence[StoredMedia]) -> list[str]:
        """Delete rows; returns the ids of the files they used, which may now be unused.

        A reserved id that was filled after `media` was read stays.
        """
        files = []
        for one in media:
            found, file_id = self.find_file_of(transaction, one.media_nid)
            if found and (one.file_id is not None or file_id is None):
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


def _quarantine_of(transaction: Transaction, file_id: str) -> str | None:
    """Who quarantined this content, if anybody did."""
    sql = "SELECT quarantined_by FROM media WHERE file_id = ? AND quarantined_by IS NOT NULL LIMIT 1"
    found: str | None = transaction.value(sql, (file_id,))
    return found


def stored_media(row: Row) -> StoredMedia:
    """The media in a row of COLUMNS."""
    flags = [bool(flag) for flag in row[12:15]]
    return StoredMedia(*row[:12], *flags)
