"""Moving files to another backend while nobody writes, and comparing what there is with what there should be.

A move notes that there will be a copy that nothing uses, copies a file, enters the new place, and then deletes the old
copy, one file after the other: ended at any point it is simply begun again, and goes on with what is still in the old
place. If it is not, the next start clears the copy away.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from core.errors import Unavailable
from core.media.spool import Spool, receive, unhurried
from core.media.vault import Deletion, Vault
from core.storage.media_files import MediaFileStore, StoredFile
from core.storage.transaction import Transaction
from core.storage.writer import Writer


@dataclass(slots=True)
class CheckResult:
    """What a check found; files by their names."""

    files: int = 0
    missing: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)


class FileMover:
    """Walks over all files."""

    def __init__(self, vault: Vault, files: MediaFileStore, spool: Spool, deletion: Deletion, writer: Writer) -> None:
        self._vault, self._files, self._spool, self._deletion, self._writer = vault, files, spool, deletion, writer

    def all(self) -> Iterator[StoredFile]:
        """Every file, those of thumbnails last."""
        for page in (self._files.after, self._files.thumbnails_after):
            last = ""
            while found := page(last):
                yield from found
                last = found[-1].file_id

    def move(self, to: str, progress: Callable[[int, int], None]) -> int:
        """Bring every file into the backend `to`; how many were moved. `progress` gets (files done, bytes done).

        Raises: `Unavailable` where a backend does not answer.
        """
        moved = size = 0
        for file in self.all():
            if file.backend != to:
                self._move(file, to)
                moved, size = moved + 1, size + file.size_bytes
                progress(moved, size)
        return moved

    def check(self, reads: bool) -> CheckResult:
        """Look whether each file is there and as long as it should be; with `reads` also at its content."""
        found = CheckResult()
        for file in self.all():
            found.files += 1
            size = self._vault.size(file)
            if size is None:
                found.missing.append(file.file_id)
            elif size != file.size_bytes or (reads and file.sha256 and self._hash(file) != file.sha256):
                found.damaged.append(file.file_id)
        return found

    def _move(self, file: StoredFile, to: str) -> None:
        copy = StoredFile(file.file_id, file.size_bytes, to)
        self._writer.submit(lambda transaction: self._files.doom(transaction, copy))
        with self._spool.open() as spooled:
            receive(spooled, unhurried(self._vault.read(file)), file.size_bytes + 1)
            if spooled.size_bytes != file.size_bytes or (file.sha256 and spooled.sha256 != file.sha256):
                raise Unavailable(f"File {file.file_id} in {file.backend} is damaged; it was not moved.")
            self._vault.write(file.file_id, spooled.file, to)

        def enter(transaction: Transaction) -> None:
            if self._files.relocate(transaction, file, to):  # else it is gone, and the copy is to go
                self._files.forget_doomed(transaction, [file.file_id])
                self._files.doom(transaction, file)

        self._writer.submit(enter)
        self._deletion.delete_doomed()

    def _hash(self, file: StoredFile) -> bytes:
        digest = hashlib.sha256()
        for piece in self._vault.read(file):
            digest.update(piece)
        return digest.digest()
