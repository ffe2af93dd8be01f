"""The vault: storage backends behind one door, with the failures of each turned into a 503.

A file's path in a backend follows from its id: `files/ab/abcd…`. Which backend a file is in is written beside its id.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

from core.errors import Unavailable
from core.hooks.declarations import MediaBackend
from core.hooks.errors import PluginError, PluginFailed
from core.hooks.manager import PluginManager
from core.hooks.specs import contributions
from core.media.spool import Spool
from core.storage.media_files import MediaFileStore, StoredFile
from core.storage.writer import Writer

LOG = logging.getLogger(__name__)

SECONDS = 120.0
"""How long one call of a backend may take."""


def path_of(file_id: str) -> str:
    """Where a file is, in any backend."""
    return f"files/{file_id[:2]}/{file_id}"


class Vault:
    """The backends; new files go into the one named `current`. Raises PluginError where there is none of that name."""

    def __init__(self, plugins: PluginManager, current: str) -> None:
        self._plugins = plugins
        self._backends: dict[str, tuple[str, MediaBackend]] = {}
        for contribution in plugins.contributions(contributions.contribute_storage_backends):
            self._backends[contribution.item.name] = (contribution.plugin, contribution.item)
        if current not in self._backends:
            names = ", ".join(sorted(self._backends)) or "none"
            raise PluginError(f"media_backend is {current}; no plugin adds a backend of that name. There are: {names}.")
        self.current = current

    def names(self) -> list[str]:
        """The backends there are."""
        return sorted(self._backends)

    def write(self, file_id: str, source: BinaryIO, backend: str | None = None) -> str:
        """Store a file durably, from its beginning; returns the backend it went to. Raises: `Unavailable`."""
        name = backend or self.current
        source.seek(0)
        self._call(name, "write", path_of(file_id), source)
        return name

    def read(self, file: StoredFile, start: int = 0) -> Iterator[bytes]:
        """The file from byte `start` on, in pieces. Raises: `Unavailable`, also where the backend has lost it."""
        pieces: Iterable[bytes] | None = self._call(file.backend, "read", path_of(file.file_id), start)
        if pieces is None:
            LOG.error("The media backend %s has no file %s.", file.backend, path_of(file.file_id))
            raise Unavailable("The file cannot be read at the moment.")
        return iter(pieces)

    def size(self, file: StoredFile) -> int | None:
        """The size the backend reports, None where it has no such file. Raises: `Unavailable`."""
        found: int | None = self._call(file.backend, "size", path_of(file.file_id))
        return found

    def delete(self, file_id: str, backend: str) -> bool:
        """Delete a file; False where there was none. Raises: `Unavailable`."""
        return bool(self._call(backend, "delete", path_of(file_id)))

    def _call(self, name: str, operation: str, *arguments: object) -> Any:
        if name not in self._backends:
            raise Unavailable(f"The media backend {name} is not there at the moment.")
        plugin, backend = self._backends[name]
        try:
            return self._plugins.run(plugin, f"media:{operation}", SECONDS, getattr(backend, operation), *arguments)
        except PluginFailed as error:
            LOG.error("%s", error)
            raise Unavailable("Media storage does not answer at the moment; try again.") from error


class Deletion:
    """Ends what deletions began, and clears away what a crash left."""

    def __init__(self, vault: Vault, files: MediaFileStore, writer: Writer) -> None:
        self._vault, self._files, self._writer = vault, files, writer

    def delete_doomed(self) -> int:
        """Delete every doomed file; those a backend will not let go of stay for the next time. How many went."""
        gone, last = 0, ""
        while doomed := self._files.doomed(last):
            last = doomed[-1].file_id
            done = [file.file_id for file in doomed if self._is_gone(file)]
            if done:
                self._writer.submit(lambda transaction, done=done: self._files.forget_doomed(transaction, done))  # type: ignore[misc]
            gone += len(done)
        return gone

    def sweep(self, spool: Spool) -> int:
        """At start: take away files that were stored and never entered, and finish deletions. How many spooled ones."""
        swept = spool.sweep(self._settle)
        self.delete_doomed()
        return swept

    def _settle(self, file_id: str) -> bool:
        """Take away what was stored and not entered, wherever: the configuration may have named another backend then."""
        if self._files.is_known(file_id):
            return True
        held = [name for name in self._vault.names() if not self._is_gone(StoredFile(file_id, 0, name))]
        return not held

    def _is_gone(self, file: StoredFile) -> bool:
        try:
            self._vault.delete(file.file_id, file.backend)
        except Unavailable:
            return False
        return True
