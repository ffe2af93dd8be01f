"""The media repository as plugins reach it. Implements core.hooks.api.Media."""

from __future__ import annotations

import io

from core.errors import NotFound, TooLarge
from core.ids import Requester, UserId, UserNid
from core.media.curation import Curation
from core.media.downloads import Downloads
from core.media.identifiers import parse_mxc
from core.media.spool import Body
from core.media.uploads import Uploads
from core.storage.interning import Interner


class PluginMedia:
    """Stores and reads files of this server, under the same limits and checks as its users' uploads."""

    def __init__(self, uploads: Uploads, downloads: Downloads, curation: Curation, texts: Interner) -> None:
        self._uploads, self._downloads, self._curation, self._texts = uploads, downloads, curation, texts

    def store(self, owner: UserId, content: bytes, content_type: str, name: str | None = None) -> str:
        """Store a file as if the owner had uploaded it; returns its `mxc://` URI. Raises MatrixError."""
        requester = Requester(owner, UserNid(self._texts.nid(owner)), None, 0)
        return self._uploads.upload(requester, Body(io.BytesIO(content), len(content)), content_type, name)

    def store_for_a_while(self, content: bytes, content_type: str, seconds: float, name: str | None = None) -> str:
        """Store a file of nobody's, deleted after `seconds` unless something refers to it. Raises MatrixError."""
        body = Body(io.BytesIO(content), len(content))
        return self._uploads.upload_for_a_while(body, content_type, name, round(seconds * 1000))

    def delete_early(self, mxc: str) -> None:
        """Delete a file that was stored for a while."""
        parsed = parse_mxc(mxc)
        media = None if parsed is None else self._downloads.look_up(*parsed)
        if media is not None and media.is_passing:
            self._curation.delete([media], by_admin=False)

    def read(self, mxc: str, max_bytes: int = 50_000_000) -> tuple[str, bytes] | None:
        """(content type, bytes) of a file this server has, None where there is none. Raises TooLarge."""
        parsed = parse_mxc(mxc)
        if parsed is None:
            return None
        try:
            media = self._downloads.find(*parsed, timeout_ms=0)
            file = self._downloads.file_of(media)
        except NotFound:
            return None
        if file.size_bytes > max_bytes:
            raise TooLarge(f"The file has {file.size_bytes} bytes, more than the {max_bytes} asked for.")
        return media.content_type, b"".join(self._downloads.read(file))
