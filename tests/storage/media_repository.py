"""A media repository over a database and a folder, without HTTP."""

from __future__ import annotations

import io
import itertools
from pathlib import Path

from core.hooks import MediaBackend, hookimpl
from core.hooks.manager import PluginManager
from core.ids import Requester, ServerName, UserId, UserNid
from core.media.arrivals import Arrivals
from core.media.curation import Curation
from core.media.downloads import Downloads, NoRemoteMedia
from core.media.moving import FileMover
from core.media.sightings import Sightings
from core.media.spool import Body, Spool
from core.media.upload_limits import Quota, UploadLimits
from core.media.uploads import Keeper, Uploads, UploadSettings
from core.media.vault import Deletion, Vault
from core.storage.media import MediaStore
from core.storage.media_files import MediaFileStore
from core.storage.media_lists import MediaLists
from core.storage.media_references import MediaReferenceStore
from plugins.filesystem_media.plugin import Folder

NAME = ServerName("here.example")
ALICE = Requester(UserId("@alice:here.example"), UserNid(7), None, 1)
BOB = Requester(UserId("@bob:here.example"), UserNid(8), None, 2)


class OtherFolder(Folder):
    """A second backend."""

    name = "other"


class Backends:
    """A plugin with both."""

    def __init__(self, root: Path) -> None:
        self.items: list[MediaBackend] = [Folder(root / "first"), OtherFolder(root / "second")]

    @hookimpl
    def contribute_storage_backends(self):
        return self.items


class Repository:
    """Everything wired; `now_ms` is a clock that tests turn."""

    def __init__(
        self,
        database,
        writer,
        root: Path,
        quotas: tuple[Quota, ...] = (),
        max_bytes: int = 1000,
        more: dict[str, object] | None = None,
    ) -> None:
        self.root, self.now_ms, self.writer = root, 1_000_000, writer
        plugins = PluginManager()
        plugins.register("backends", Backends(root))
        for name, plugin in (more or {}).items():
            plugins.register(name, plugin)
        self.media, self.files = MediaStore(database), MediaFileStore(database)
        self.references = MediaReferenceStore(database)
        self.vault, self.spool = Vault(plugins, "filesystem"), Spool(root / "incoming")
        self.spool.prepare()
        self.deletion = Deletion(self.vault, self.files, writer)
        arrivals, sightings = Arrivals(), Sightings(self.media, writer, self.clock)
        self.sightings = sightings
        limits = UploadLimits(self.media, plugins, max_bytes, quotas)
        self.keeper = Keeper(self.vault, self.files, writer, self.clock)
        settings = UploadSettings(NAME, 2, 1000, True)
        self.uploads = Uploads(
            self.media, self.keeper, self.spool, limits, arrivals, writer, plugins, settings, self.clock
        )
        self.downloads = Downloads(
            self.media, self.files, self.vault, arrivals, sightings, NoRemoteMedia(), NAME, self.clock
        )
        self.curation = Curation(
            NAME,
            self.media,
            MediaLists(database),
            self.files,
            self.references,
            self.deletion,
            writer,
            plugins,
            self.clock,
        )
        self.mover = FileMover(self.vault, self.files, self.spool, self.deletion, writer)
        self._names = itertools.count()

    def clock(self) -> int:
        """Now."""
        return self.now_ms

    def upload(self, content: bytes, who: Requester = ALICE) -> str:
        """Upload; the media id."""
        uri = self.uploads.upload(who, Body(io.BytesIO(content), len(content)), "text/plain", None)
        return uri.rpartition("/")[2]

    def read(self, media_id: str) -> bytes:
        """Download."""
        found = self.downloads.find(NAME, media_id, 0)
        return b"".join(self.downloads.read(self.downloads.file_of(found)))

    def on_disk(self, folder: str = "first") -> set[str]:
        """The names of the files a backend has."""
        return {path.name for path in (self.root / folder).rglob("*") if path.is_file()}
