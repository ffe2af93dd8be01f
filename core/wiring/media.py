"""Media: the repository, its threads and background work, and the endpoints."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from flask import Blueprint

from core.api.admin import media as admin_media
from core.api.admin import user_media
from core.api.client import authed_content_repo, content_repo
from core.api.media_answers import MediaAnswers
from core.hooks.errors import PluginError
from core.media.arrivals import Arrivals
from core.media.curation import Curation, Retention, RetentionWorker
from core.media.downloads import Downloads, NoRemoteMedia, RemoteMedia
from core.media.references import MediaReferences
from core.media.sightings import Sightings
from core.media.spool import Spool
from core.media.thumbnails import Choice, Thumbnails
from core.media.upload_limits import UploadLimits, quotas_of
from core.media.uploads import Keeper, Uploads, UploadSettings
from core.media.vault import Deletion, Vault
from core.storage.media import MediaStore
from core.storage.media_files import MediaFileStore
from core.storage.media_lists import MediaLists
from core.storage.media_references import MediaReferenceStore
from core.storage.profiles import ProfileStore
from core.wiring.accounts import AccountsPart
from core.wiring.ground import Ground
from core.wiring.rooms import RoomsPart


@dataclass(frozen=True, slots=True)
class MediaPart:
    """The services others use, and what has to be started and stopped."""

    media: MediaStore
    files: MediaFileStore
    uploads: Uploads | None
    downloads: Downloads | None
    thumbnails: Thumbnails | None
    sightings: Sightings | None
    curation: Curation | None
    retention: RetentionWorker | None
    deletion: Deletion | None
    spool: Spool | None
    references: MediaReferences
    blueprints: list[Blueprint]

    def start(self) -> None:
        """Clear away what a crash left, and begin the background work."""
        if self.spool is not None and self.deletion is not None and self.sightings is not None:
            self.spool.prepare()
            self.deletion.sweep(self.spool)
            self.sightings.start()
        if self.retention is not None:
            self.retention.start()

    def stop(self) -> None:
        """Finish the background work; call before the writer is closed."""
        if self.retention is not None:
            self.retention.stop()
        if self.sightings is not None:
            self.sightings.stop()
        if self.thumbnails is not None:
            self.thumbnails.stop()


def build_media(
    ground: Ground, accounts: AccountsPart, rooms: RoomsPart, remote: RemoteMedia | None = None
) -> MediaPart:
    """Build the part over an open database. Raises PluginError where the configured backend is missing."""
    config, storage, plugins, gate = ground.config.media, ground.storage, ground.plugins, accounts.gate
    media, files, writer = MediaStore(storage.database), MediaFileStore(storage.database), storage.writer
    lists = MediaLists(storage.database)
    references, profiles = MediaReferenceStore(storage.database), ProfileStore(storage.database)
    following = MediaReferences(rooms.graph, profiles, references)
    if not config.enable_media_repo:
        return MediaPart(media, files, None, None, None, None, None, None, None, None, following, [])
    try:
        quotas = quotas_of(config.media_upload_limits)
    except ValueError as error:
        raise PluginError(f"{error}.") from error
    vault, spool, arrivals = (
        Vault(plugins, config.media_backend),
        Spool(Path(config.media_store_path) / "incoming"),
        Arrivals(),
    )
    sightings = Sightings(media, writer)
    limits = UploadLimits(media, plugins, config.max_upload_size, quotas)
    settings = UploadSettings(
        ground.server_name,
        config.max_pending_media_uploads,
        config.unused_expiration_time,
        config.enable_authenticated_media,
    )
    keeper = Keeper(vault, files, writer)
    uploads = Uploads(media, keeper, spool, limits, arrivals, writer, plugins, settings)
    downloads = Downloads(media, files, vault, arrivals, sightings, remote or NoRemoteMedia(), ground.server_name)
    sizes = [(size.width, size.height, size.method) for size in config.thumbnail_sizes]
    choice = Choice(sizes, config.dynamic_thumbnails)
    thumbnails = Thumbnails(files, vault, spool, writer, choice, config.max_image_pixels)
    deletion = Deletion(vault, files, writer)
    curation = Curation(ground.server_name, media, lists, files, references, deletion, writer, plugins)
    retention = RetentionWorker(curation, Retention(config.media_retention_local, config.media_retention_remote))
    answers = MediaAnswers(downloads, thumbnails)
    blueprints = [
        content_repo.blueprint(answers, uploads, gate, config.enable_authenticated_media),
        authed_content_repo.blueprint(answers, uploads, gate),
        admin_media.blueprint(
            curation, media, files, references, rooms.graph.rooms, storage.interner, gate, ground.server_name
        ),
        user_media.blueprint(curation, lists, accounts.users, profiles, gate),
    ]
    return MediaPart(
        media,
        files,
        uploads,
        downloads,
        thumbnails,
        sightings,
        curation,
        retention,
        deletion,
        spool,
        following,
        blueprints,
    )
