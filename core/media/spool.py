"""The spool: where an upload is while it comes in, on local disk, whatever backend it ends in.

A spooled file bears the name it will have in the backend and stays until the database knows it, so that after a crash
each one tells of a file that may have been stored in vain. Its owner holds a lock on it, which the kernel drops when
the process dies: what can be locked has no owner.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

import gevent

from core.errors import BadRequest, TooLarge
from core.media.identifiers import new_file_id

PIECE_BYTES = 524_288
"""How much is read at a time."""
HEAD_BYTES = 65_536
"""How much of the beginning is kept for those who judge a file."""
_PIECES_BEFORE_YIELD = 2


class Readable(Protocol):
    """A body that comes in."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes, none at the end."""


@dataclass(frozen=True, slots=True)
class Body:
    """The body of an upload: the stream, and the length its sender announced (None where it is chunked)."""

    stream: Readable
    length: int | None


@dataclass(slots=True)
class Spooled:
    """A file that has come in whole."""

    file_id: str
    path: Path
    file: BinaryIO
    sha256: bytes = b""
    size_bytes: int = 0
    head: bytes = b""


class Spool:
    """A folder of files on their way in."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def prepare(self) -> None:
        """Make the folder. Raises OSError."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    @contextmanager
    def receiving(self, body: Body, max_bytes: int) -> Iterator[Spooled]:
        """The body in a file, which goes at the end of the block.

        Raises: `TooLarge` beyond `max_bytes`, `BadRequest` where less came than was announced.
        """
        if body.length is not None and body.length > max_bytes:
            raise _too_large(max_bytes)
        with self.open() as spooled:
            receive(spooled, body.stream.read, max_bytes)
            if body.length is not None and spooled.size_bytes != body.length:
                raise BadRequest(f"The upload broke off after {spooled.size_bytes} of {body.length} bytes.")
            yield spooled

    @contextmanager
    def open(self) -> Iterator[Spooled]:
        """An empty file, which goes at the end of the block."""
        file_id = new_file_id()
        path = self._folder / file_id
        with path.open("xb+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            try:
                yield Spooled(file_id, path, file)
            finally:
                with suppress(FileNotFoundError):
                    path.unlink()

    def sweep(self, settle: Callable[[str], None]) -> int:
        """Give each file that nobody owns to `settle(file_id)`, then delete it; how many there were."""
        swept = 0
        for path in sorted(self._folder.iterdir()):
            try:
                file = path.open("rb")
            except FileNotFoundError:
                continue
            with file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue
                settle(path.name)
                with suppress(FileNotFoundError):
                    path.unlink()
                swept += 1
        return swept


def receive(spooled: Spooled, read: Callable[[int], bytes], max_bytes: int) -> None:
    """Write what `read` gives into the file, hashing it on the way. Raises: `TooLarge`."""
    digest, size, head, descriptor, pieces = hashlib.sha256(), 0, b"", spooled.file.fileno(), 0
    while piece := read(min(PIECE_BYTES, max_bytes + 1 - size)):
        size += len(piece)
        if size > max_bytes:
            raise _too_large(max_bytes)
        if len(head) < HEAD_BYTES:
            head += piece[: HEAD_BYTES - len(head)]
        digest.update(piece)
        _write_all(descriptor, piece)
        pieces += 1
        if pieces % _PIECES_BEFORE_YIELD == 0:
            gevent.sleep(0.0005)  # a fast sender keeps the socket readable; others want the hub, too
    spooled.sha256, spooled.size_bytes, spooled.head = digest.digest(), size, head


def _write_all(descriptor: int, piece: bytes) -> None:
    view = memoryview(piece)
    while view:
        view = view[os.write(descriptor, view) :]


def _too_large(max_bytes: int) -> TooLarge:
    return TooLarge(f"The file is larger than the {max_bytes} bytes allowed here.")
