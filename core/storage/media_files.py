"""The files behind media: which exist, in which backend, the thumbnails made of them, and those about to be deleted.

A file is written under a name of its own that is never used again, so that one being deleted and one being stored can
never be the same. Equal content is one row, found by its SHA-256. Which file is deleted is decided here, in the
transaction that takes away its row; a doomed file's row goes when the backend has let go of it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from peewee import CompositeKey

from core.storage.database import Database
from core.storage.tables import BigIntegerField, HashField, MatrixStringField, Table
from core.storage.transaction import Transaction


class FileRow(Table):
    """One stored content."""

    file_id = MatrixStringField(48, primary_key=True)
    sha256 = HashField(unique=True)
    size_bytes = BigIntegerField()
    backend = MatrixStringField(40, index=True)
    created_ms = BigIntegerField()

    class Meta:
        table_name = "media_files"


class ThumbnailRow(Table):
    """A thumbnail of a file; `form` says what it is of, such as `320x240-scale`. It may be the file itself."""

    source_id = MatrixStringField(48)
    form = MatrixStringField(40)
    file_id = MatrixStringField(48, index=True)
    content_type = MatrixStringField(40)
    size_bytes = BigIntegerField()
    backend = MatrixStringField(40)

    class Meta:
        table_name = "media_thumbnails"
        primary_key = CompositeKey("source_id", "form")


class DoomedFileRow(Table):
    """A file that no row names any more and that its backend may still have."""

    file_id = MatrixStringField(48, primary_key=True)
    backend = MatrixStringField(40)

    class Meta:
        table_name = "media_doomed_files"


@dataclass(frozen=True, slots=True)
class StoredFile:
    """Where a file is and how large."""

    file_id: str
    size_bytes: int
    backend: str
    sha256: bytes = b""


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A thumbnail and what kind of image it is."""

    file: StoredFile
    content_type: str


class MediaFileStore:
    """Files, thumbnails and doomed files. Writes go in the caller's job."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._insert = database.dialect.insert(FileRow)
        self._insert_thumbnail = database.dialect.insert(ThumbnailRow)
        self._doom = database.dialect.insert_new(DoomedFileRow)

    def find_by_hash(self, sha256: bytes) -> StoredFile | None:
        """The file with this content."""
        sql = "SELECT file_id, size_bytes, backend, sha256 FROM media_files WHERE sha256 = ?"
        row = self._database.row(sql, (sha256,))
        return None if row is None else StoredFile(row[0], row[1], row[2], bytes(row[3]))

    def find(self, file_id: str) -> StoredFile | None:
        """The file of that name."""
        sql = "SELECT file_id, size_bytes, backend, sha256 FROM media_files WHERE file_id = ?"
        row = self._database.row(sql, (file_id,))
        return None if row is None else StoredFile(row[0], row[1], row[2], bytes(row[3]))

    def lock_by_hash(self, transaction: Transaction, sha256: bytes) -> str | None:
        """The id of the file with this content, kept from deletion until the commit."""
        sql = "SELECT file_id FROM media_files WHERE sha256 = ?" + transaction.dialect.for_update
        found: str | None = transaction.value(sql, (sha256,))
        return found

    def add(self, transaction: Transaction, file: StoredFile, now_ms: int) -> None:
        """Write a file that was just stored."""
        transaction.run(self._insert, (file.file_id, file.sha256, file.size_bytes, file.backend, now_ms))

    def thumbnail(self, source_id: str, form: str) -> Thumbnail | None:
        """A thumbnail that was made before."""
        sql = "SELECT file_id, size_bytes, backend, content_type FROM media_thumbnails WHERE source_id = ? AND form = ?"
        row = self._database.row(sql, (source_id, form))
        return None if row is None else Thumbnail(StoredFile(row[0], row[1], row[2]), row[3])

    def thumbnail_count(self, source_id: str) -> int:
        """How many thumbnails a file has."""
        return int(self._database.value("SELECT COUNT(*) FROM media_thumbnails WHERE source_id = ?", (source_id,)))

    def add_thumbnail(self, transaction: Transaction, source_id: str, form: str, made: Thumbnail) -> bool:
        """Write a thumbnail; False where its source is gone or another was faster."""
        sql = "SELECT 1 FROM media_files WHERE file_id = ?" + transaction.dialect.for_update
        if transaction.row(sql, (source_id,)) is None:
            return False
        sql = "SELECT 1 FROM media_thumbnails WHERE source_id = ? AND form = ?"
        if transaction.row(sql, (source_id, form)) is not None:
            return False
        file = made.file
        row = (source_id, form, file.file_id, made.content_type, file.size_bytes, file.backend)
        transaction.run(self._insert_thumbnail, row)
        return True

    def is_known(self, file_id: str) -> bool:
        """Whether any row names this file, so that it must be kept."""
        sql = "SELECT 1 FROM media_files WHERE file_id = ? UNION ALL SELECT 1 FROM media_thumbnails WHERE file_id = ?"
        return self._database.row(sql, (file_id, file_id)) is not None

    def doom_unused(self, transaction: Transaction, file_ids: Collection[str]) -> list[StoredFile]:
        """Take away those of `file_ids` that no media uses, with their thumbnails; returns what is to be deleted."""
        doomed: list[StoredFile] = []
        for file_id in sorted(set(file_ids)):  # few: what one deletion touched
            sql = "SELECT size_bytes, backend FROM media_files WHERE file_id = ?" + transaction.dialect.for_update
            row = transaction.row(sql, (file_id,))
            if row is None or transaction.row("SELECT 1 FROM media WHERE file_id = ? LIMIT 1", (file_id,)) is not None:
                continue
            doomed.append(StoredFile(file_id, row[0], row[1]))
            sql = "SELECT file_id, size_bytes, backend FROM media_thumbnails WHERE source_id = ? AND file_id <> ?"
            doomed += [StoredFile(*found) for found in transaction.rows(sql, (file_id, file_id))]
            transaction.run("DELETE FROM media_thumbnails WHERE source_id = ?", (file_id,))
            transaction.run("DELETE FROM media_files WHERE file_id = ?", (file_id,))
        transaction.add_all(self._doom, [(file.file_id, file.backend) for file in doomed])
        return doomed

    def doom(self, transaction: Transaction, file: StoredFile) -> None:
        """Note that a backend holds a copy that nothing uses any more."""
        transaction.run(self._doom, (file.file_id, file.backend))

    def doomed(self, after: str = "", limit: int = 500) -> list[StoredFile]:
        """Files whose deletion was begun and not finished, in the order of their names, past `after`."""
        sql = "SELECT file_id, backend FROM media_doomed_files WHERE file_id > ? ORDER BY file_id LIMIT ?"
        rows = self._database.rows(sql, (after, limit))
        return [StoredFile(file_id, 0, backend) for file_id, backend in rows]

    def forget_doomed(self, transaction: Transaction, file_ids: Collection[str]) -> None:
        """Note that the backend has let go of them."""
        for file_id in file_ids:
            transaction.run("DELETE FROM media_doomed_files WHERE file_id = ?", (file_id,))

    def after(self, file_id: str, limit: int = 200) -> list[StoredFile]:
        """Files in the order of their names, past `file_id`."""
        sql = "SELECT file_id, size_bytes, backend, sha256 FROM media_files WHERE file_id > ? ORDER BY file_id LIMIT ?"
        return [StoredFile(row[0], row[1], row[2], bytes(row[3])) for row in self._database.rows(sql, (file_id, limit))]

    def thumbnails_after(self, file_id: str, limit: int = 200) -> list[StoredFile]:
        """Files of thumbnails that are files of their own, in the order of their names, past `file_id`."""
        sql = (
            "SELECT file_id, size_bytes, backend FROM media_thumbnails WHERE file_id > ? AND file_id <> source_id"
            " ORDER BY file_id LIMIT ?"
        )
        return [StoredFile(*row) for row in self._database.rows(sql, (file_id, limit))]

    def relocate(self, transaction: Transaction, file: StoredFile, backend: str) -> bool:
        """Note that a file is in another backend now, and its old copy doomed; False where it is gone or moved."""
        moved = 0
        for table in ("media_files", "media_thumbnails"):
            sql = f"UPDATE {table} SET backend = ? WHERE file_id = ? AND backend = ?"
            moved += transaction.run(sql, (backend, file.file_id, file.backend))
        return moved > 0
