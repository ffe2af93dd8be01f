"""Making a preview: visit the link, read what it says of itself, keep its image."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import gevent

from core.hooks import MatrixError, PluginApi
from plugins.url_previews.charsets import decoded
from plugins.url_previews.images import Images, KeptImage
from plugins.url_previews.oembed import find_endpoint, read_answer
from plugins.url_previews.pages import MAX_VALUE, Page, read_page, shortened
from plugins.url_previews.settings import KEPT_SECONDS, PreviewSettings
from plugins.url_previews.tables import Preview
from plugins.url_previews.visiting import Visit, Visited

PAGE_BYTES: Final = 524_288
"""So much of a page is read; what it says of itself is near its beginning."""
TEXT_BYTES: Final = 4_096
OEMBED_BYTES: Final = 131_072
SHORTEST_GOOD_MS: Final = 3_600_000
LONGEST_GOOD_MS: Final = 86_400_000
"""A preview is good for as long as the page's Cache-Control says, but no shorter and no longer than these."""
ACCEPT: Final = "text/html,application/xhtml+xml,*/*;q=0.5"
_PAGES: Final = ("text/html", "application/xhtml+xml", "application/xml", "text/xml")
_MAX_AGE: Final = re.compile(r"(?:^|[\s,])max-age\s*=\s*\"?(\d{1,9})", re.IGNORECASE)


class Previews:
    """Makes previews."""

    def __init__(self, api: PluginApi, settings: PreviewSettings, clock: Callable[[], float] = time.time) -> None:
        self._api, self._settings, self._clock = api, settings, clock
        self._images = Images(api, settings, KEPT_SECONDS + 3_600)

    def make(self, url: str) -> Preview:
        """The preview of a link. Raises: `NoPreview`, `Forbidden`, `InvalidParam`."""
        visit = Visit(self._api, self._settings)
        endpoint = find_endpoint(self._settings.providers, url)
        page = self._asked(visit, endpoint, url) if endpoint is not None else None
        if page is not None:
            return self._composed(page, self._images.first_of(page.images, visit), SHORTEST_GOOD_MS)
        visited = visit.fetch(url, self._wanted, ACCEPT)
        good_ms = _good_for_ms(visited.headers.get("cache-control", ""))
        kind = visited.content_type.partition(";")[0].strip()
        if kind in _PAGES:
            page = self._read(visit, visited)
            return self._composed(page, self._images.first_of(page.images, visit), good_ms)
        if kind.startswith("image/") and len(visited.body) <= self._settings.max_bytes:
            return self._composed(Page({"og:title": _file_name(visited.url)}), self._kept(visited.body), good_ms)
        return self._composed(Page(_of_file(kind, visited)), None, good_ms)

    def _wanted(self, content_type: str) -> int:
        """How much is read of a body of that type."""
        if content_type.startswith("image/"):
            return self._settings.max_bytes + 1
        if content_type.startswith(_PAGES):
            return min(PAGE_BYTES, self._settings.max_bytes)
        return TEXT_BYTES if content_type.startswith("text/plain") else 0

    def _read(self, visit: Visit, visited: Visited) -> Page:
        """What a page says; where it names an oEmbed answer, that tells what it leaves open."""
        text = decoded(visited.body, visited.content_type)
        page = read_page(text, visited.url, lambda: gevent.sleep(0.0005))
        if page.oembed is not None and ("og:title" not in page.properties or not page.images):
            told = self._asked(visit, page.oembed, visited.url)
            if told is not None:
                page.properties = {**told.properties, **page.properties}
                page.images += told.images
        return page

    def _asked(self, visit: Visit, endpoint: str, url: str) -> Page | None:
        """What an oEmbed provider tells of a link; None where it does not."""
        try:
            return read_answer(visit.fetch(endpoint, lambda _: OEMBED_BYTES, "application/json").body, url)
        except MatrixError:  # the page itself may still tell
            return None

    def _kept(self, content: bytes) -> KeptImage | None:
        try:
            return self._images.keep(content)
        except MatrixError:  # an image that cannot be shown has no preview, which is no failure
            return None

    def _composed(self, page: Page, image: KeptImage | None, good_ms: int) -> Preview:
        now_ms = int(self._clock() * 1000)
        answer: dict[str, Any] = {name: value for name, value in page.properties.items() if value}
        if image is None:
            return Preview(now_ms, now_ms + good_ms, answer)
        return Preview(now_ms, now_ms + good_ms, {**answer, **image.properties()}, image.mxc, image.size_bytes)


def _of_file(kind: str, visited: Visited) -> dict[str, str]:
    """What is said of a link to something that is neither page nor image."""
    name = _file_name(visited.url)
    if kind.startswith("video/"):
        return {"og:title": name, "og:type": "video.other", "og:video:type": kind[:100]}
    if kind.startswith("audio/"):
        return {"og:title": name, "og:type": "music.song", "og:audio:type": kind[:100]}
    if kind == "text/plain":
        return {"og:title": name, "og:description": shortened(decoded(visited.body, visited.content_type))}
    return {}


def _file_name(url: str) -> str:
    return unquote(urlsplit(url).path.rpartition("/")[2])[:MAX_VALUE]


def _good_for_ms(cache_control: str) -> int:
    found = _MAX_AGE.search(cache_control)
    return min(max(int(found[1]) * 1000 if found else 0, SHORTEST_GOOD_MS), LONGEST_GOOD_MS)
