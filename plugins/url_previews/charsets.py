"""Bytes of a page to text: which encoding it is in, and decoding that cannot fail.

The order is that of browsers: a byte order mark, the Content-Type header, what the page declares near its beginning,
and else UTF-8 if it is that, or Windows-1252. Spec: WHATWG HTML, "Determining the character encoding".
"""

from __future__ import annotations

import codecs
import re
from typing import Final

DECLARED_WITHIN: Final = 4_096
"""So far into a page a declaration is looked for."""
_MARKS: Final = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_PARAMETER: Final = re.compile(r"charset\s*=\s*[\"']?([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)
_IN_META: Final = re.compile(rb"<meta[^>]{0,300}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)
_IN_XML: Final = re.compile(rb"^\s*<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)
_MEANT: Final = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "big5": "big5hkscs",
    "utf-16": "utf-16-le",
}
"""What browsers take some names for, since pages do."""
_TEXT: Final = frozenset(
    {
        *("utf-8", "utf-16-le", "utf-16-be", "koi8-r", "koi8-u", "cp866", "cp874", "mac-roman", "mac-cyrillic"),
        *(f"cp125{number}" for number in range(9)),
        *(f"iso8859-{number}" for number in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)),
        *("gb18030", "big5hkscs", "euc_jp", "iso2022_jp", "cp932", "cp949"),
    }
)
"""Encodings of the web; Python knows others that are none, or slow to undo."""


def decoded(content: bytes, content_type: str) -> str:
    """The text of a page; what cannot be read becomes U+FFFD."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return content[len(mark) :].decode(encoding, "replace")
    start = content[:DECLARED_WITHIN]
    said = _PARAMETER.search(content_type)
    names = [said[1]] if said else []
    names += [found[1].decode("ascii") for found in (_IN_XML.search(start), _IN_META.search(start)) if found]
    for name in names:
        known = _known(name)
        if known is not None:
            return content.decode(known, "replace")
    if _is_utf8(content):
        return content.decode("utf-8", "replace")
    return content.decode("cp1252", "replace")


def _known(name: str) -> str | None:
    try:
        python_name = codecs.lookup(name).name
    except LookupError:
        return None
    meant = _MEANT.get(python_name, python_name)
    return meant if meant in _TEXT else None


def _is_utf8(content: bytes) -> bool:
    """Whether it is UTF-8, but for a character cut off at the end."""
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.end == len(content) and error.reason == "unexpected end of data"
    return True
