"""The few tags of a page that a preview is made of, found without parsing the rest.

No tree is built and nothing is run: the text is looked through once, from one tag of interest to the next, and every
step takes time in proportion to what it passes over, whatever the page is made of. A preview needs the words in a
handful of tags, so a whole HTML parser in C would be more to trust than what it saves.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final

MAX_TAGS: Final = 2_000
"""So many tags of interest are looked at."""
MAX_TAG: Final = 8_192
"""The longest tag that is read, in characters; longer ones are passed over."""
STRETCH: Final = 32_768
"""So far is looked for the next tag at once."""
LONGEST_OPENING: Final = 16
MAX_ATTRIBUTES: Final = 60
TAGS_AT_ONCE: Final = 20
MAX_TEXT: Final = 2_000
"""How much text of an element is kept."""
_OPENINGS: Final = re.compile(
    r"<(?:(!--)|(script|style|noscript|template|svg|iframe|textarea|header|nav|footer|aside)(?=[\s/>])"
    r"|(meta|link|title|base|img|h1|h2|p|body)(?=[\s/>]))",
    re.IGNORECASE,
)
_TAG_END: Final = re.compile(r"[^>\"']*+(?:\"[^\"]*+\"[^>\"']*+|'[^']*+'[^>\"']*+)*+>")
_ATTRIBUTE: Final = re.compile(
    r"([A-Za-z_:][A-Za-z0-9_:.-]{0,60})\s{0,20}(?:=\s{0,20}(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]*)))?"
)
_ANY_TAG: Final = re.compile(r"<[^<>]{0,2000}>")
_SPACE: Final = re.compile(r"\s+")
_WITH_TEXT: Final = frozenset({"title", "h1", "h2", "p"})


@dataclass(frozen=True, slots=True)
class Tag:
    """One tag: its name and attributes in lower case, and for some what is in its element, up to a limit."""

    name: str
    attributes: Mapping[str, str]
    markup: str = ""

    @property
    def text(self) -> str:
        """The words of the element."""
        return words_of(self.markup)


def tags_of(page: str, pause: Callable[[], None] = lambda: None) -> Iterator[Tag]:
    """The tags of interest in their order; not those in comments, scripts and other hidden or surrounding parts.

    `pause` is called again and again, every few milliseconds, to let others do something.
    """
    at = found_count = paused_at = 0
    lowered: str | None = None
    while found_count < MAX_TAGS and at < len(page):
        opening = _OPENINGS.search(page, at, at + STRETCH)
        if opening is None or at - paused_at > STRETCH or found_count % TAGS_AT_ONCE == TAGS_AT_ONCE - 1:
            paused_at = at
            pause()
        if opening is None:
            at += STRETCH - LONGEST_OPENING
            continue
        found_count += 1
        at = opening.end()
        if opening[1] is not None:
            at = _past(page, "-->", at)
            continue
        if opening[2] is not None:
            lowered = page.lower() if lowered is None else lowered
            at = _past(lowered if len(lowered) == len(page) else page, f"</{opening[2].lower()}", at)
            continue
        name, end = opening[3].lower(), _TAG_END.match(page, at, at + MAX_TAG)
        if end is None:
            continue
        attributes, at = attributes_of(page[at : end.end() - 1]), end.end()
        if name in _WITH_TEXT:
            closing = page.find("</", at, at + 4 * MAX_TEXT) if name == "title" else _closing(page, name, at)
            yield Tag(name, attributes, page[at : closing if closing >= 0 else at + MAX_TEXT])
        else:
            yield Tag(name, attributes)


def attributes_of(text: str) -> dict[str, str]:
    """The attributes in a tag, names in lower case, of several alike the first; references like `&amp;` resolved."""
    found: dict[str, str] = {}
    for attribute in islice(_ATTRIBUTE.finditer(text), MAX_ATTRIBUTES):
        name, double, single, bare = attribute.groups("")
        found.setdefault(name.lower(), html.unescape(double or single or bare))
    return found


def words_of(markup: str) -> str:
    """The words in markup, without the tags; at most MAX_TEXT characters."""
    return squeezed(html.unescape(_ANY_TAG.sub(" ", markup[: 4 * MAX_TEXT])))


def squeezed(text: str) -> str:
    """Text in one line, without control characters, at most MAX_TEXT characters."""
    line = _SPACE.sub(" ", text).strip()[:MAX_TEXT]
    return "".join(character for character in line if character.isprintable())


def _closing(page: str, name: str, at: int) -> int:
    """Where the element ends: at its closing tag, or where the next one of its kind begins."""
    ends = [page.find(mark, at, at + 4 * MAX_TEXT) for mark in (f"</{name}", f"<{name}", f"</{name.upper()}")]
    return min((end for end in ends if end >= 0), default=-1)


def _past(text: str, mark: str, at: int) -> int:
    """The place after `mark`; the end where there is none."""
    end = text.find(mark, at)
    return len(text) if end < 0 else end + len(mark)
