"""Images of previews: fetched, looked at, and kept as media for as long as the preview is."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Final

from gevent.threadpool import ThreadPool

from core.hooks import MatrixError, PluginApi
from plugins.url_previews.settings import PreviewSettings
from plugins.url_previews.visiting import NoPreview, Visit

ACCEPT: Final = "image/avif,image/webp,image/png,image/jpeg,image/gif,*/*;q=0.1"
TRIES: Final = 3
"""So many of a page's images are tried before it is shown without one."""
_TYPES: Final = {
    "PNG": "image/png",
    "JPEG": "image/jpeg",
    "GIF": "image/gif",
    "WEBP": "image/webp",
    "AVIF": "image/avif",
}
THREADS: Final = 1


@dataclass(frozen=True, slots=True)
class KeptImage:
    """An image that is media now."""

    mxc: str
    content_type: str
    size_bytes: int
    width: int
    height: int

    def properties(self) -> dict[str, object]:
        """What a preview says of it. Spec: GET /_matrix/client/v1/media/preview_url."""
        return {
            "og:image": self.mxc,
            "og:image:type": self.content_type,
            "og:image:width": self.width,
            "og:image:height": self.height,
            "matrix:image:size": self.size_bytes,
        }


class Images:
    """Fetches images and keeps them."""

    def __init__(self, api: PluginApi, settings: PreviewSettings, kept_seconds: float) -> None:
        self._api, self._settings, self._kept_seconds = api, settings, kept_seconds
        self._threads = ThreadPool(THREADS)

    def first_of(self, urls: list[str], visit: Visit) -> KeptImage | None:
        """The first of these that can be had and is an image."""
        for url in urls[:TRIES]:
            try:
                body = visit.fetch(url, lambda _: self._settings.max_bytes + 1, ACCEPT).body
                if len(body) <= self._settings.max_bytes:
                    return self.keep(body)
            except MatrixError:  # a page without its image is still a preview
                continue
        return None

    def keep(self, content: bytes) -> KeptImage:
        """Store an image. Raises: `NoPreview` for what is none, and what the media repository raises."""
        kind, width, height = self._threads.apply(_look, (content,))
        if kind is None:
            raise NoPreview("The link does not lead to an image that can be shown.")
        mxc = self._api.media.store_for_a_while(content, kind, self._kept_seconds)
        return KeptImage(mxc, kind, len(content), width, height)


def _look(content: bytes) -> tuple[str | None, int, int]:
    """(content type, width, height) of an image, None for what is no image of the web. Only its head is read."""
    from PIL import Image  # with the first image: many a server never sees one

    try:
        with Image.open(io.BytesIO(content), formats=tuple(_TYPES)) as image:
            return _TYPES[image.format or ""], image.width, image.height
    except Exception:  # decoders raise nearly anything for a file that was made to break them
        return None, 0, 0
