"""Downloads and thumbnails as both client modules answer them; they differ in who may ask and for what."""

from __future__ import annotations

from collections.abc import Iterator

from flask import Request, Response
from marshmallow.validate import OneOf

from core.api.media_reply import FileReply, disposition, reply_with
from core.errors import InvalidParam
from core.ids import Requester
from core.media.content_types import OCTETS
from core.media.downloads import DEFAULT_WAIT_MS, Charge, Downloads
from core.media.thumbnails import Thumbnails
from core.storage.media import StoredMedia
from core.storage.media_files import StoredFile
from core.web.gate import Gate
from core.web.schemas import JsonSchema, QueryBool, QueryInt, QueryString, load_query

FETCH_LIMIT = "remote_media_download"
"""The limit on what one user, or one address without a user, may have fetched from other servers."""
_EXTENSIONS = {"image/png": "png", "image/jpeg": "jpg", "image/gif": "gif", "image/webp": "webp"}


def charging(gate: Gate, who: Requester | str) -> Charge:
    """Charges what is fetched from other servers to a user or an address."""
    return lambda size: gate.limit(who, FETCH_LIMIT, size)


class DownloadQuery(JsonSchema):
    """What may be said of a download."""

    timeout_ms = QueryInt(load_default=DEFAULT_WAIT_MS)
    allow_remote = QueryBool(load_default=True)


class ThumbnailQuery(DownloadQuery):
    """What is to be said of a thumbnail."""

    width = QueryInt(required=True)
    height = QueryInt(required=True)
    method = QueryString(load_default="scale", validate=OneOf(["crop", "scale"]))
    animated = QueryBool(load_default=False)


class MediaAnswers:
    """Answers to requests for files."""

    def __init__(self, downloads: Downloads, thumbnails: Thumbnails) -> None:
        self._downloads, self._thumbnails = downloads, thumbnails
        self.download_query, self._thumbnail_query = DownloadQuery(), ThumbnailQuery()

    def find(self, request: Request, server: str, media_id: str, charge: Charge | None) -> StoredMedia:
        """The media asked for, from other servers only with `charge`. Raises: as `Downloads.find`, `InvalidParam`."""
        return self._find(load_query(self.download_query, request), server, media_id, charge)

    def find_own(self, server_name: str, media_id: str, timeout_ms: int) -> StoredMedia:
        """Media of this server. Raises: as `Downloads.find`."""
        return self._downloads.find(server_name, media_id, timeout_ms)

    def download(self, request: Request, media: StoredMedia, name: str | None, is_private: bool) -> Response:
        """The file itself."""
        file = self._downloads.file_of(media)
        shown = disposition(media.may_inline, name or media.name)
        reply = FileReply(media.content_type or OCTETS, shown, file.size_bytes, file.sha256.hex(), is_private)
        return reply_with(reply, request, lambda start: self._downloads.read(file, start))

    def file_parts(self, media: StoredMedia) -> tuple[FileReply, Iterator[bytes]]:
        """The file for another server: what is said of it, and its pieces."""
        file = self._downloads.file_of(media)
        shown = disposition(media.may_inline, media.name)
        reply = FileReply(media.content_type or OCTETS, shown, file.size_bytes, file.sha256.hex(), True)
        return reply, self._downloads.read(file)

    def thumbnail_parts(self, media: StoredMedia, query: dict[str, object]) -> tuple[FileReply, Iterator[bytes]]:
        """A thumbnail for another server. Raises: as `Thumbnails.get`."""
        reply, file = self._thumbnail(media, query, True)
        return reply, self._downloads.read(file)

    def read_thumbnail_query(self, request: Request) -> dict[str, object]:
        """The query of a thumbnail. Raises: `InvalidParam`, `MissingParam`."""
        query = load_query(self._thumbnail_query, request)
        if query["width"] < 1 or query["height"] < 1:
            raise InvalidParam("'width' and 'height' must be at least 1.")
        return query

    def thumbnail(self, request: Request, media: StoredMedia, query: dict[str, object], is_private: bool) -> Response:
        """A thumbnail. Raises: as `Thumbnails.get`."""
        reply, file = self._thumbnail(media, query, is_private)
        return reply_with(reply, request, lambda start: self._downloads.read(file, start))

    def find_for_thumbnail(
        self, server: str, media_id: str, query: dict[str, object], charge: Charge | None
    ) -> StoredMedia:
        """The media a thumbnail is asked of, as `find`. Raises: as `Downloads.find`."""
        return self._find(query, server, media_id, charge)

    def _find(self, query: dict[str, object], server: str, media_id: str, charge: Charge | None) -> StoredMedia:
        charged = charge if query["allow_remote"] else None
        return self._downloads.find(server, media_id, int(str(query["timeout_ms"])), charged)

    def _thumbnail(
        self, media: StoredMedia, query: dict[str, object], is_private: bool
    ) -> tuple[FileReply, StoredFile]:
        source = self._downloads.file_of(media)
        width, height = int(str(query["width"])), int(str(query["height"]))
        made = self._thumbnails.get(source, width, height, str(query["method"]), bool(query["animated"]))
        name, file = f"thumbnail.{_EXTENSIONS.get(made.content_type, 'bin')}", made.file
        reply = FileReply(made.content_type, disposition(True, name), file.size_bytes, file.file_id, is_private)
        return reply, file
