"""What may be an avatar: images of the kinds and up to the size that the administrator allows.

Implements core.accounts.profiles.Avatars. An image that is not here cannot be judged, and is refused.
"""

from __future__ import annotations

from collections.abc import Collection

from core.errors import Forbidden
from core.storage.media import MediaStore


class AvatarRule:
    """Settings `max_avatar_size` (bytes) and `allowed_avatar_mimetypes`; None does not limit."""

    def __init__(self, media: MediaStore, max_bytes: int | None, kinds: Collection[str] | None) -> None:
        self._media = media
        self._max_bytes = max_bytes
        self._kinds = kinds

    def check(self, uri: str) -> None:
        """Raise Forbidden unless the file behind an mxc:// URI may be an avatar."""
        origin, _, media_id = uri.removeprefix("mxc://").partition("/")
        found = self._media.find(origin, media_id)
        if found is None or found.file_id is None:
            raise Forbidden("An avatar must have been uploaded to this server first.")
        if self._max_bytes is not None and found.size_bytes > self._max_bytes:
            raise Forbidden(f"This image has {found.size_bytes} bytes; an avatar may have {self._max_bytes}.")
        kind = found.content_type.partition(";")[0].strip().lower()
        if self._kinds is not None and kind not in self._kinds:
            raise Forbidden(f"An avatar may not be {kind}; allowed are {', '.join(self._kinds)}.")
