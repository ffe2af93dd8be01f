"""Files below one folder, each written durably and all at once.

Content and name of a file are on the disk before `write` returns; nobody looks for it before that.
The slow calls (fsync) run in threads of the plugin's own, so that nobody else waits for the disk.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import gevent
from gevent.threadpool import ThreadPool

from core.hooks import MediaBackend, PluginApi, PluginError, hookimpl

PIECE_BYTES = 262_144
THREADS = 4
_PIECES_BEFORE_YIELD = 8
_SHARD = re.compile("[0-9a-f]{2}")
_CANNOT_LINK = frozenset({errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS})


class Folder:
    """The backend: paths below one folder."""

    name = "filesystem"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._threads = ThreadPool(THREADS)

    def write(self, path: str, source: BinaryIO) -> None:
        """Store what `source` reads. A source that is a file on the same disk is linked, not copied."""
        self._threads.apply(_write, (self._folder / path, source, self._folder))

    def prepare(self) -> None:
        """Make the folders that files are spread over, so that no upload has to."""
        self._threads.spawn(_make_folders, self._folder / "files" / "00", self._folder)

    def read(self, path: str, start: int = 0) -> Iterable[bytes] | None:
        """The file from byte `start` on, in pieces; None if there is no such file."""
        try:
            descriptor = os.open(self._folder / path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        return _pieces(descriptor, start)

    def size(self, path: str) -> int | None:
        """The file's size in bytes; None if there is no such file."""
        try:
            return (self._folder / path).stat().st_size
        except FileNotFoundError:
            return None

    def delete(self, path: str) -> bool:
        """Remove the file; False if there was none. Its folder stays, since another file may be on its way there."""
        try:
            (self._folder / path).unlink()
        except FileNotFoundError:
            return False
        return True


class FilesystemMedia:
    """The plugin. Configuration: `path`, the folder, and `is_current`, whether new files go there.

    The server sets them by media_store_path and media_backend.
    """

    def __init__(self, config: Mapping[str, Any], api: PluginApi) -> None:
        self._backend, self._is_current = Folder(Path(config["path"])), config["is_current"]

    @staticmethod
    def parse_config(config: Mapping[str, Any]) -> Mapping[str, Any]:
        """Check the configuration. Raises PluginError."""
        path, is_current = config.get("path", "media"), config.get("is_current", False)
        if not isinstance(path, str) or not path or set(config) - {"path", "is_current"}:
            raise PluginError("it takes one setting, path, the folder that media is kept in")
        return {"path": path, "is_current": is_current is True}

    @hookimpl
    def contribute_storage_backends(self) -> Sequence[MediaBackend]:
        """The folder, as the backend `filesystem`."""
        return [self._backend]

    @hookimpl
    def server_started(self) -> None:
        """Make the folders where new files go."""
        if self._is_current:
            self._backend.prepare()


def _write(target: Path, source: BinaryIO, root: Path) -> None:
    _make_folders(target.parent, root)
    _place(target, source)
    _sync_folder(target.parent)


def _place(target: Path, source: BinaryIO) -> None:
    """Have the content in `target`. Linked first and synced then, a file takes one commit of the disk's journal."""
    name = getattr(source, "name", None)
    if isinstance(name, str | os.PathLike):
        source.flush()
        try:
            os.link(name, target)
            os.fsync(source.fileno())
            return
        except FileExistsError:
            pass
        except OSError as error:
            if error.errno not in _CANNOT_LINK:
                raise
    source.seek(0)
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        with part.open("xb") as file:
            shutil.copyfileobj(source, file, PIECE_BYTES)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _make_folders(folder: Path, root: Path) -> None:
    """Make a folder and those above it; of two hexadecimal digits, all at once, which takes one sync for all."""
    if folder.is_dir():
        return
    if folder != root:
        _make_folders(folder.parent, root)
    siblings = [f"{number:02x}" for number in range(256)] if _SHARD.fullmatch(folder.name) else [folder.name]
    for name in siblings:
        (folder.parent / name).mkdir(mode=0o700, exist_ok=True)
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _pieces(descriptor: int, start: int) -> Iterator[bytes]:
    """Read in pieces; a client as fast as the disk must not keep everybody else waiting."""
    try:
        read = 0
        while piece := os.pread(descriptor, PIECE_BYTES, start):
            yield piece
            start += len(piece)
            read += 1
            if read % _PIECES_BEFORE_YIELD == 0:
                gevent.sleep(0.0005)
    finally:
        os.close(descriptor)
