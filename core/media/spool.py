"""The spool: where an upload is while it comes in, on local disk, whatever backend it ends in.

A spooled file bears the name it will have in the backend and stays until the database knows it, so that after a crash
each one tells of a file that may have been stored in vain. Its owner holds a lock on it, which the kernel drops when
the process dies: what can be locked has no owner.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO, Protocol

import gevent

from core.errors import BadRequest, TooLarge
from core.media.identifiers import new_file_id

PIECE_BYTES = 262_144
"""How much is read at a time."""
HEAD_BYTES = 65_536
"""How much of the beginning is kept for those who judge a file."""
_BYTES_BEFORE_YIELD = 1_048_576
_REST_SECONDS = 0.0005

Piece = bytes | memoryview


class Readable(Protocol):
    """A body that comes in."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes, none at the end. One that has `readinto` is asked by that."""


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
        self._memory = memoryview(bytearray(PIECE_BYTES))
        """For whatever upload has bytes at the moment: they are hashed and written before anybody else has a turn."""

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
            receive(spooled, self._pieces(body, max_bytes), max_bytes)
            if body.length is not None and spooled.size_bytes != body.length:
                raise BadRequest(f"The upload broke off after {spooled.size_bytes} of {body.length} bytes.")
            yield spooled

    @contextmanager
    def open(self) -> Iterator[Spooled]:
        """An empty file, which goes at the end of the block."""
        while True:
            file_id = new_file_id()
            path = self._folder / file_id
            with path.open("xb+", buffering=0) as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                if not os.fstat(file.fileno()).st_nlink:
                    continue  # another process, which starts, swept it away before we had the lock
                try:
                    yield Spooled(file_id, path, file)
                finally:
                    with suppress(FileNotFoundError):
                        path.unlink()
                return

    def _pieces(self, body: Body, max_bytes: int) -> Iterator[memoryview]:
        """The body as it comes, each piece good until the next is asked for; not much more than `max_bytes` of it."""
        memory, rested_at, count = self._memory, 0, 0
        end = max_bytes + 1 if body.length is None else body.length
        fill = getattr(body.stream, "readinto", None) or partial(_read_into, body.stream)
        while count < end and (size := fill(memory[: min(PIECE_BYTES, end - count)])):
            yield memory[:size]
            count += size
            if count - rested_at >= _BYTES_BEFORE_YIELD and count < end:
                rested_at = count
                gevent.sleep(_REST_SECONDS)  # a fast sender keeps the socket readable; others want the hub, too

    def sweep(self, settle: Callable[[str], bool]) -> int:
        """Give each file that nobody owns to `settle(file_id)`, then delete it if that is done; how many there were."""
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
                swept += 1
                if settle(path.name):
                    with suppress(FileNotFoundError):
                        path.unlink()
        return swept


def receive(spooled: Spooled, pieces: Iterable[Piece], max_bytes: int) -> None:
    """Write the pieces into the file, hashing them on the way. Raises: `TooLarge`."""
    digest, size, head, descriptor = hashlib.sha256(), 0, b"", spooled.file.fileno()
    for piece in pieces:
        size += len(piece)
        if size > max_bytes:
            raise _too_large(max_bytes)
        if len(head) < HEAD_BYTES:
            head += piece[: HEAD_BYTES - len(head)]
        digest.update(piece)
        _write_all(descriptor, piece)
    spooled.sha256, spooled.size_bytes, spooled.head = digest.digest(), size, head


def unhurried(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The pieces, in parts of PIECE_BYTES at most; others have a turn from time to time."""
    since = 0
    for piece in pieces:
        for start in range(0, len(piece), PIECE_BYTES):
            part = piece[start : start + PIECE_BYTES]
            yield part
            since += len(part)
            if since >= _BYTES_BEFORE_YIELD:
                since = 0
                gevent.sleep(_REST_SECONDS)


def _read_into(stream: Readable, memory: memoryview) -> int:
    piece = stream.read(len(memory))
    memory[: len(piece)] = piece
    return len(piece)


def _write_all(descriptor: int, piece: Piece) -> None:
    view = memoryview(piece)
    while view:
        view = view[os.write(descriptor, view) :]


def _too_large(max_bytes: int) -> TooLarge:
    return TooLarge(f"The file is larger than the {max_bytes} bytes allowed here.")
