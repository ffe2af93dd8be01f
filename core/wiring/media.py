"""Media: the repository, its threads and background work, and the endpoints."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from flask import Blueprint

from core.api.admin import media as admin_media
from core.api.admin import user_media
from core.api.client import authed_content_repo, content_repo
from core.api.federation import media as federation_media
from core.api.media_answers import MediaAnswers
from core.federation.media_source import MediaSource
from core.hooks.errors import PluginError
from core.media.arrivals import Arrivals
from core.media.curation import Curation, Retention, RetentionWorker
from core.media.downloads import Downloads
from core.media.plugin_media import PluginMedia
from core.media.references import MediaReferences
from core.media.remote import RemoteRepository, RemoteSettings
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
from core.wiring.federation import FederationGround
from core.wiring.ground import Ground
from core.wiring.rooms import RoomsPart


@dataclass(frozen=True, slots=True)
class MediaStores:
    """The tables of media."""

    media: MediaStore
    lists: MediaLists
    files: MediaFileStore
    references: MediaReferenceStore


@dataclass(frozen=True, slots=True)
class Repository:
    """The services, where the repository is switched on."""

    uploads: Uploads
    downloads: Downloads
    thumbnails: Thumbnails
    curation: Curation
    sightings: Sightings
    retention: RetentionWorker
    deletion: Deletion
    spool: Spool


@dataclass(frozen=True, slots=True)
class MediaPart:
    """The services others use, and what has to be started and stopped."""

    repository: Repository | None
    references: MediaReferences
    facade: PluginMedia | None
    """What plugins reach."""
    blueprints: list[Blueprint]

    def start(self) -> None:
        """Clear away what a crash left, and begin the background work."""
        if self.repository is not None:
            self.repository.spool.prepare()
            self.repository.deletion.sweep(self.repository.spool)
            self.repository.sightings.start()
            self.repository.retention.start()

    def stop(self) -> None:
        """Finish the background work; call before the writer is closed."""
        if self.repository is not None:
            self.repository.retention.stop()
            self.repository.sightings.stop()
            self.repository.thumbnails.stop()


def build_media(ground: Ground, accounts: AccountsPart, rooms: RoomsPart, federation: FederationGround) -> MediaPart:
    """Build the part over an open database. Raises PluginError where the configured backend is missing."""
    database = ground.storage.database
    stores = MediaStores(
        MediaStore(database), MediaLists(database), MediaFileStore(database), MediaReferenceStore(database)
    )
    following = MediaReferences(rooms.graph, ProfileStore(database), accounts.account_data_store, stores.references)
    if not ground.config.media.enable_media_repo:
        return MediaPart(None, following, None, [])
    repository = _repository(ground, stores, federation)
    facade = PluginMedia(repository.uploads, repository.downloads, repository.curation, ground.storage.interner)
    return MediaPart(
        repository, following, facade, _blueprints(ground, stores, repository, accounts, rooms, federation)
    )


def _repository(ground: Ground, stores: MediaStores, federation: FederationGround) -> Repository:
    config, plugins, name, writer = ground.config.media, ground.plugins, ground.server_name, ground.storage.writer
    media, lists, files = stores.media, stores.lists, stores.files
    try:
        quotas = quotas_of(config.media_upload_limits)
    except ValueError as error:
        raise PluginError(f"{error}.") from error
    vault, spool, arrivals = Vault(plugins, config.media_backend), spool_of(config.media_store_path), Arrivals()
    keeper, deletion, sightings = Keeper(vault, files, writer), Deletion(vault, files, writer), Sightings(media, writer)
    needs_auth = config.enable_authenticated_media
    settings = UploadSettings(name, config.max_pending_media_uploads, config.unused_expiration_time, needs_auth)
    limits = UploadLimits(media, plugins, config.max_upload_size, quotas)
    curation = Curation(name, media, lists, files, stores.references, deletion, writer, plugins)
    source = MediaSource(federation.client, federation.outbound.web)
    refused = frozenset(config.prevent_media_downloads_from)
    of_remote = RemoteSettings(config.max_upload_size, config.remote_media_cache_size, refused, needs_auth)
    remote = RemoteRepository(name, source, media, lists, keeper, spool, curation, plugins, of_remote)
    choice = Choice(
        [(size.width, size.height, size.method) for size in config.thumbnail_sizes], config.dynamic_thumbnails
    )
    return Repository(
        Uploads(media, keeper, spool, limits, arrivals, writer, plugins, settings),
        Downloads(media, files, vault, arrivals, sightings, remote, name),
        Thumbnails(files, vault, spool, writer, choice, config.max_image_pixels),
        curation,
        sightings,
        RetentionWorker(curation, Retention(config.media_retention_local, config.media_retention_remote)),
        deletion,
        spool,
    )


def spool_of(media_store_path: str) -> Spool:
    """The spool below the media folder."""
    return Spool(Path(media_store_path) / "incoming")


def _blueprints(
    ground: Ground,
    stores: MediaStores,
    repository: Repository,
    accounts: AccountsPart,
    rooms: RoomsPart,
    federation: FederationGround,
) -> list[Blueprint]:
    answers, gate, curation = (
        MediaAnswers(repository.downloads, repository.thumbnails),
        accounts.gate,
        repository.curation,
    )
    room_store, texts = rooms.graph.rooms, ground.storage.interner
    is_frozen = ground.config.media.enable_authenticated_media
    return [
        content_repo.blueprint(answers, repository.uploads, gate, is_frozen),
        authed_content_repo.blueprint(answers, repository.uploads, gate),
        federation_media.blueprint(answers, federation.gate),
        admin_media.blueprint(
            curation, stores.media, stores.files, stores.references, room_store, texts, gate, ground.server_name
        ),
        user_media.blueprint(curation, stores.lists, accounts.users, ProfileStore(ground.storage.database), gate),
    ]
