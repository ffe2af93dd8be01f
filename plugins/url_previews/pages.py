"""What a page says of itself: Open Graph where it has that, and else its title, description, headings and images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urljoin

from plugins.url_previews.tags import Tag, squeezed, tags_of

MAX_PROPERTIES: Final = 40
MAX_NAME: Final = 100
MAX_VALUE: Final = 1_000
"""Characters of one property's value."""
MAX_DESCRIPTION: Final = 500
SHORTEST_PARAGRAPH: Final = 20
"""Shorter ones are buttons and bylines."""
MAX_URL: Final = 4_096
MAX_IMAGES: Final = 2
"""Images of each kind that are noted."""
_PREFIXES: Final = ("og:", "article:", "profile:", "book:", "music:", "video:")
_LEFT_OUT: Final = ("og:image", "og:video", "og:audio")
"""These name files that a client would fetch from the other site, telling it who reads; images go through us."""
_TWITTER: Final = {"twitter:title": "og:title", "twitter:description": "og:description", "twitter:site": "og:site_name"}
_SIDES: Final = ("width", "height")
_SMALLEST: Final = 64
"""An image with a smaller side, as its tag says, is an ornament."""


@dataclass(slots=True)
class Page:
    """What was found. `images` are URLs, the best first; `oembed` is where the page says more may be asked."""

    properties: dict[str, str] = field(default_factory=dict)
    images: list[str] = field(default_factory=list)
    oembed: str | None = None


def read_page(text: str, url: str, pause: Callable[[], None] = lambda: None) -> Page:
    """Read a page that was found at `url`; `pause` is called again and again, to let others do something."""
    reader = _Reader(url)
    for tag in tags_of(text, pause):
        reader.read(tag)
    return reader.page()


class _Reader:
    def __init__(self, url: str) -> None:
        self._base, self._has_base = url, False
        self._found: dict[str, str] = {}
        self._other: dict[str, str] = {}
        self._title = self._heading = self._oembed = ""
        self._paragraphs: list[str] = []
        self._images: dict[str, list[str]] = {kind: [] for kind in ("og", "twitter", "item", "body", "icon")}

    def read(self, tag: Tag) -> None:
        """Take in a tag."""
        match tag.name:
            case "meta":
                self._meta(tag)
            case "link":
                self._link(tag)
            case "base":
                self._read_base(tag.attributes.get("href", ""))
            case "title":
                self._title = self._title or tag.text
            case "h1" | "h2":
                self._heading = self._heading or tag.text
            case "p":
                self._read_paragraph(tag)
            case "img":
                self._image(tag)

    def page(self) -> Page:
        """What the tags amount to."""
        found = self._found
        for name, meant in _TWITTER.items():
            if name in self._other:
                found.setdefault(meant, self._other[name])
        title = self._title or self._heading
        if title:
            found.setdefault("og:title", title[:MAX_VALUE])
        described = self._other.get("description") or " ".join(self._paragraphs)
        if described:
            found.setdefault("og:description", shortened(described))
        images = [_joined(self._base, image) for kind in self._images.values() for image in kind]
        return Page(found, list(dict.fromkeys(images)), _joined(self._base, self._oembed) if self._oembed else None)

    def _read_base(self, target: str) -> None:
        """What links are relative to; the first tag of that kind counts."""
        if target and not self._has_base:
            self._base, self._has_base = _joined(self._base, target), True

    def _read_paragraph(self, tag: Tag) -> None:
        if sum(map(len, self._paragraphs)) < MAX_DESCRIPTION:
            text = tag.text
            self._paragraphs += [text] if len(text) > SHORTEST_PARAGRAPH else []

    def _meta(self, tag: Tag) -> None:
        attributes = tag.attributes
        content = squeezed(attributes.get("content", ""))
        name = (attributes.get("property") or attributes.get("name") or "").strip().lower()
        if not content:
            return
        if attributes.get("itemprop") == "image":
            self._note("item", content)
        elif name in {"og:image", "og:image:url", "og:image:secure_url"}:
            self._note("og", content)
        elif name in {"twitter:image", "twitter:image:src"}:
            self._note("twitter", content)
        elif name == "og:image:alt" or (name.startswith(_PREFIXES) and not name.startswith(_LEFT_OUT)):
            if len(self._found) < MAX_PROPERTIES and len(name) <= MAX_NAME:
                self._found.setdefault(name, content[:MAX_VALUE])
        elif name == "description" or name in _TWITTER:
            self._other.setdefault(name, content[:MAX_VALUE])

    def _link(self, tag: Tag) -> None:
        relations, target = tag.attributes.get("rel", "").lower().split(), tag.attributes.get("href", "").strip()
        if not target:
            return
        if "alternate" in relations and tag.attributes.get("type", "").lower() == "application/json+oembed":
            self._oembed = self._oembed or target
        elif "image_src" in relations:
            self._note("item", target)
        elif "icon" in relations or "apple-touch-icon" in relations:
            self._note("icon", target)

    def _image(self, tag: Tag) -> None:
        source, sides = tag.attributes.get("src", "").strip(), [tag.attributes.get(side, "") for side in _SIDES]
        is_large = all(side.isascii() and side.isdigit() and int(side[:6]) >= _SMALLEST for side in sides)
        if is_large and not source.lower().startswith("data:"):
            self._note("body", source)

    def _note(self, kind: str, image: str) -> None:
        if len(self._images[kind]) < MAX_IMAGES:
            self._images[kind].append(image)


def shortened(text: str) -> str:
    """At most MAX_DESCRIPTION characters of a text, cut between words."""
    text = squeezed(text)
    if len(text) <= MAX_DESCRIPTION:
        return text
    return text[: MAX_DESCRIPTION - 1].rpartition(" ")[0] + "…"


def _joined(base: str, target: str) -> str:
    """The URL that a page means by `target`; the page's own where it is none."""
    if len(target) > MAX_URL:
        return base
    try:
        return urljoin(base, target)
    except ValueError:
        return base
