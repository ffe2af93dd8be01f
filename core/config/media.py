"""What users may upload, where it is kept, and previews of links."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.config.parsers import (
    boolean,
    duration_ms,
    integer,
    list_of,
    mapping,
    network,
    path,
    size_bytes,
    text,
)
from core.config.settings import setting

_THUMBNAILS = [
    {"width": 32, "height": 32, "method": "crop"},
    {"width": 96, "height": 96, "method": "crop"},
    {"width": 320, "height": 240, "method": "scale"},
    {"width": 640, "height": 480, "method": "scale"},
    {"width": 800, "height": 600, "method": "scale"},
]


@dataclass(frozen=True, slots=True)
class ThumbnailSize:
    """A thumbnail made in advance; `method` is "crop" or "scale"."""

    width: int
    height: int
    method: str


def thumbnail_size(value: Any) -> ThumbnailSize:
    """One entry of `thumbnail_sizes`."""
    if isinstance(value, Mapping) and set(value) == {"width", "height", "method"}:
        width, height, method = value["width"], value["height"], value["method"]
        if all(type(side) is int and 0 < side <= 4096 for side in (width, height)) and method in {"crop", "scale"}:
            return ThumbnailSize(width, height, method)
    raise ValueError("a mapping with width and height (1 to 4096) and method (crop or scale)")


@dataclass(frozen=True, slots=True)
class MediaConfig:
    """The media repository."""

    enable_media_repo: bool = setting(True, boolean, "Serve uploads and downloads.")
    enable_authenticated_media: bool = setting(True, boolean, "Serve new media only to those who sign in.")
    media_store_path: str = setting("{data_dir}/media", path, "Folder that media is kept in.")
    media_backend: str = setting(
        "filesystem", text, "Where new media is kept: the name of a plugin's storage backend, such as filesystem or s3."
    )
    max_upload_size: int = setting("50M", size_bytes, "Largest upload accepted, in bytes or with a suffix: 50M.")
    media_upload_limits: tuple[Mapping[str, Any], ...] = setting(
        [],
        list_of(mapping),
        "How much one user may upload over time: a list of mappings with time_period and max_size.",
    )
    remote_media_cache_size: int | None = setting(
        None, size_bytes, "Most bytes of other servers' media that are kept; unset, any number.", example="20G"
    )
    max_image_pixels: int = setting("32M", size_bytes, "Most pixels of an image that thumbnails are made of.")
    max_pending_media_uploads: int = setting(5, integer(1), "Media ids one user may have reserved and not filled.")
    unused_expiration_time: int = setting("24h", duration_ms, "How long a reserved media id waits for its upload.")
    dynamic_thumbnails: bool = setting(False, boolean, "Make thumbnails of any size asked for.")
    thumbnail_sizes: tuple[ThumbnailSize, ...] = setting(
        _THUMBNAILS, list_of(thumbnail_size), "Thumbnails made in advance: mappings with width, height and method."
    )
    prevent_media_downloads_from: tuple[str, ...] = setting([], list_of(text), "Servers whose media is never fetched.")
    media_retention_local: int | None = setting(
        None, duration_ms, "Delete uploads not looked at for so long.", key="media_retention.local_media_lifetime"
    )
    media_retention_remote: int | None = setting(
        None, duration_ms, "The same for copies of other servers' media.", key="media_retention.remote_media_lifetime"
    )
    max_avatar_size: int | None = setting(None, size_bytes, "Largest avatar; unset, as any upload.", example="10M")
    allowed_avatar_mimetypes: tuple[str, ...] | None = setting(
        None, list_of(text), "Kinds of image allowed as avatars; unset, all.", example=["image/png", "image/jpeg"]
    )


@dataclass(frozen=True, slots=True)
class UrlPreviewConfig:
    """Previews of links that users post; off unless enabled, since the server then visits those links."""

    enabled: bool = setting(False, boolean, "Make previews of links.", key="url_preview_enabled")
    ip_range_blacklist: tuple[Any, ...] | None = setting(
        None,
        list_of(network),
        "Addresses never visited for previews; unset, those of ip_range_blacklist.",
        key="url_preview_ip_range_blacklist",
    )
    ip_range_whitelist: tuple[Any, ...] = setting(
        [], list_of(network), "Addresses visited although they are on that list.", key="url_preview_ip_range_whitelist"
    )
    url_blacklist: tuple[Mapping[str, Any], ...] = setting(
        [],
        list_of(mapping),
        "Links never visited: mappings of URL parts to patterns.",
        key="url_preview_url_blacklist",
        example=[{"scheme": "http"}],
    )
    accept_language: tuple[str, ...] = setting(
        ["en"], list_of(text), "Languages asked for.", key="url_preview_accept_language"
    )
    max_spider_size: int = setting("10M", size_bytes, "Largest page read for a preview.")
    oembed: Mapping[str, Any] = setting(
        {}, mapping, "oEmbed providers: disable_default_providers, additional_providers."
    )
