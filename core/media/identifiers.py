"""The grammar of `mxc://` URIs, and new media ids. Spec: Client-Server API, "Matrix Content (mxc://) URIs"."""

from __future__ import annotations

import re
import secrets

from core.ids import ServerName, is_server_name

_MEDIA_ID = re.compile(r"[A-Za-z0-9_-]{1,255}")


def new_media_id() -> str:
    """A media id nobody can guess: 144 bits, 24 characters."""
    return secrets.token_urlsafe(18)


def new_file_id() -> str:
    """A name for a file, never used again: 128 bits, 32 characters of which the first are spread evenly."""
    return secrets.token_hex(16)


def is_media_id(text: str) -> bool:
    """Whether `text` can be a media id; nothing else ever reaches a path or a query."""
    return _MEDIA_ID.fullmatch(text) is not None


def parse_mxc(uri: object) -> tuple[ServerName, str] | None:
    """(server, media id) of an `mxc://` URI, None for anything else."""
    if not isinstance(uri, str) or not uri.startswith("mxc://"):
        return None
    server, _, media_id = uri[6:].partition("/")
    if not is_server_name(server) or not is_media_id(media_id):
        return None
    return ServerName(server), media_id
