"""Finding what an `mxc://` URI stands for, and reading it.

Media in quarantine is as if it were not there. Media of other servers comes from `RemoteMedia`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from core.errors import MatrixError, NotFound
from core.ids import ServerName, is_server_name
from core.media.arrivals import Arrivals
from core.media.clock import Clock, wall_clock_ms
from core.media.identifiers import is_media_id
from core.media.sightings import Sightings
from core.media.vault import Vault
from core.storage.media import MediaStore, StoredMedia
from core.storage.media_files import MediaFileStore, StoredFile

MAX_WAIT_MS = 60_000
"""Longest wait for an upload to come, whatever the client asks for."""
DEFAULT_WAIT_MS = 20_000


class NotYetUploaded(MatrixError):
    """The id is reserved, its upload did not come within the time the client was ready to wait."""

    errcode, status = "M_NOT_YET_UPLOADED", 504


Charge = Callable[[int], None]
"""Called with the bytes that come from another server in somebody's name; raises `LimitExceeded` where they are too many."""


class RemoteMedia(Protocol):
    """Other servers' media; implemented by core.media.remote."""

    def find(self, origin: ServerName, media_id: str, timeout_ms: int, charge: Charge) -> StoredMedia:
        """The copy kept here, fetched if need be. Raises: `NotFound`, `Unavailable` and others of the family."""


class NoRemoteMedia:
    """A server that fetches nothing."""

    def find(self, origin: ServerName, media_id: str, timeout_ms: int, charge: Charge) -> StoredMedia:
        """Nothing is found."""
        raise NotFound(f"Media of {origin} is not kept here.")


class Downloads:
    """What may be downloaded."""

    def __init__(
        self,
        media: MediaStore,
        files: MediaFileStore,
        vault: Vault,
        arrivals: Arrivals,
        sightings: Sightings,
        remote: RemoteMedia,
        server_name: ServerName,
        now_ms: Clock = wall_clock_ms,
    ) -> None:
        self._media, self._files, self._vault, self._arrivals = media, files, vault, arrivals
        self._sightings, self._remote, self._server_name, self._now_ms = sightings, remote, server_name, now_ms

    def find(self, server: str, media_id: str, timeout_ms: int, charge: Charge | None = None) -> StoredMedia:
        """Media whose file is there.

        Waits up to `timeout_ms` for one that is being uploaded; fetches what another server has only where somebody is
        there to `charge` for it. Raises: `NotFound`, `NotYetUploaded`, `LimitExceeded`.
        """
        if not is_server_name(server) or not is_media_id(media_id):
            raise _unknown()
        if server != self._server_name:
            found = self._media.find(server, media_id)
            if found is None:
                if charge is None:
                    raise _unknown()
                found = self._remote.find(ServerName(server), media_id, timeout_ms, charge)
        else:
            found = self._local(media_id, timeout_ms)
        if found.quarantined_by is not None:
            raise _unknown()
        self._sightings.note(found.media_nid)
        return found

    def look_up(self, server: str, media_id: str) -> StoredMedia | None:
        """What is known of a URI; nothing is waited for, fetched or noted."""
        return self._media.find(server, media_id)

    def file_of(self, media: StoredMedia) -> StoredFile:
        """The file of media that `find` returned. Raises: `NotFound` where it was deleted meanwhile."""
        file = self._files.find(media.file_id or "")
        if file is None:
            raise _unknown()
        return file

    def read(self, file: StoredFile, start: int = 0) -> Iterator[bytes]:
        """A file from byte `start` on, in pieces. Raises: `Unavailable`."""
        return self._vault.read(file, start)

    def _local(self, media_id: str, timeout_ms: int) -> StoredMedia:
        began_ms = self._now_ms()
        while True:
            found = self._media.find(self._server_name, media_id)
            if found is None:
                raise _unknown()
            if found.file_id is not None:
                return found
            now_ms = self._now_ms()
            if found.expires_ms is not None and found.expires_ms <= now_ms:
                raise _unknown()
            left_ms = began_ms + min(timeout_ms, MAX_WAIT_MS) - now_ms
            if left_ms <= 0 or not self._arrivals.wait(media_id, left_ms / 1000):
                raise NotYetUploaded("This file is still being uploaded; try again.")


def _unknown() -> NotFound:
    return NotFound("There is no such media here.")
