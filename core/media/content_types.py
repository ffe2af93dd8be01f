"""Content types: what we repeat of what an uploader claims, and what may be shown inline.

Browsers are told not to guess (`nosniff`), so a claimed type is what a file is treated as. Beyond the specification's
list, what claims to be an image, sound or film is shown inline only if it does not begin like something else, and has no
markup near its beginning.
Spec: Client-Server API, "Serving inline content".
"""

from __future__ import annotations

import re

OCTETS = "application/octet-stream"

INLINE_TYPES = frozenset(
    {
        *(f"text/{kind}" for kind in ("css", "plain", "csv")),
        *(f"application/{kind}" for kind in ("json", "ld+json")),
        *(f"image/{kind}" for kind in ("jpeg", "gif", "png", "apng", "webp", "avif")),
        *(f"video/{kind}" for kind in ("mp4", "webm", "ogg", "quicktime")),
        *(f"audio/{kind}" for kind in ("mp4", "webm", "aac", "mpeg", "ogg", "wave", "wav")),
        *(f"audio/{kind}" for kind in ("x-wav", "x-pn-wav", "flac", "x-flac")),
    }
)

_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,100}/[A-Za-z0-9!#$&^_.+-]{1,100}")
_PARAMETER = re.compile(r";\s*[A-Za-z0-9!#$&^_.+-]+=(?:[A-Za-z0-9!#$&^_.+'-]+|\"[\x20\x21\x23-\x5B\x5D-\x7E]*\")")
_MARKUP = re.compile(rb"<\s*(?:!doctype|html|head|body|script|svg|iframe|\?xml|!entity)", re.IGNORECASE)
_OTHER_KINDS = (
    b"%PDF",
    b"MZ",
    b"PK\x03\x04",
    b"\x7fELF",
    b"\xca\xfe\xba\xbe",
    b"#!",
    b"\x1f\x8b",
    b"Rar!",
    b"7z\xbc\xaf",
)
"""How documents, programs and archives begin."""


def cleaned_content_type(claimed: str | None) -> str:
    """The type to keep for a claimed one: itself, parameters included, or octets where it is none; at most 255 long."""
    text = (claimed or "").strip()
    base = _TYPE.match(text)
    if base is None or not text.isascii():
        return OCTETS
    kept, rest = base[0], text[base.end() :].strip()
    while rest:
        parameter = _PARAMETER.match(rest)
        if parameter is None or len(kept) + len(parameter[0]) > 255:
            return base[0] if rest.startswith(";") else OCTETS
        kept, rest = kept + parameter[0], rest[parameter.end() :].strip()
    if kept.lower().startswith("text/") and "charset=" not in kept.lower():
        kept += "; charset=UTF-8"
    return kept


def base_type(content_type: str) -> str:
    """The type without parameters, in lower case."""
    return content_type.partition(";")[0].strip().lower()


def may_be_inline(content_type: str, head: bytes) -> bool:
    """Whether content of this type that begins with `head` may be shown in a browser's own page."""
    kind = base_type(content_type)
    if kind not in INLINE_TYPES:
        return False
    if not kind.startswith(("image/", "video/", "audio/")):
        return True
    return _MARKUP.search(head) is None and not head.startswith(_OTHER_KINDS)
