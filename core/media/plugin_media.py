"""The media repository as plugins reach it. Implements core.hooks.api.Media."""

from __future__ import annotations

import io

from core.errors import NotFound, TooLarge
from core.ids import Requester, ServerName, UserId, UserNid
from core.media.downloads import Downloads
from core.media.identifiers import parse_mxc
from core.media.spool import Body
from core.media.uploads import Uploads
from core.storage.interning import Interner


class PluginMedia:
    """Stores and reads files of this server, under the same limits and checks as its users' uploads."""

    def __init__(self, uploads: Uploads, downloads: Downloads, texts: Interner, server_name: ServerName) -> None:
        self._uploads, self._downloads, self._texts, self._server_name = uploads, downloads, texts, server_name

    def store(self, owner: UserId, content: bytes, content_type: str, name: str | None = None) -> str:
        """Store a file as if the owner had uploaded it; returns its `mxc://` URI. Raises MatrixError."""
        requester = Requester(owner, UserNid(self._texts.nid(owner)), None, 0)
        return self._uploads.upload(requester, Body(io.BytesIO(content), len(content)), content_type, name)

    def read(self, mxc: str, max_bytes: int = 50_000_000) -> tuple[str, bytes] | None:
        """(content type, bytes) of a file this server has, None where there is none. Raises TooLarge."""
        parsed = parse_mxc(mxc)
        if parsed is None:
            return None
        try:
            media = self._downloads.find(*parsed, timeout_ms=0, may_be_remote=False)
            file = self._downloads.file_of(media)
        except NotFound:
            return None
        if file.size_bytes > max_bytes:
            raise TooLarge(f"The file has {file.size_bytes} bytes, more than the {max_bytes} asked for.")
        return media.content_type, b"".join(self._downloads.read(file))
