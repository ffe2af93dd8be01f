"""Files on their way out: ranges, validators, and the headers that keep a browser from running what somebody sent.

A file never changes, so its hash is its ETag and caches may keep it. Spec: Client-Server API, "Content repository";
ranges and conditional requests as RFC 9110 has them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import quote

from flask import Request, Response

from core.web.replies import json_reply

_POLICY = (
    "sandbox; default-src 'none'; script-src 'none'; plugin-types application/pdf; style-src 'unsafe-inline';"
    " object-src 'self';"
)
_HEADERS = (
    ("Content-Security-Policy", _POLICY),
    ("X-Content-Security-Policy", "sandbox;"),
    ("X-Content-Type-Options", "nosniff"),
    ("Cross-Origin-Resource-Policy", "cross-origin"),
    ("X-Robots-Tag", "noindex, nofollow, noarchive, noimageindex"),
    ("Referrer-Policy", "no-referrer"),
)
_RANGE = re.compile(r"\s*bytes\s*=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*", re.IGNORECASE)
_TOKEN = re.compile(r"[A-Za-z0-9!#$&+.^_`|~-]+")
_TAG = re.compile(r'(?:W/)?("[^"]*")')

Read = Callable[[int], Iterator[bytes]]
"""The file from a byte on, in pieces."""


@dataclass(frozen=True, slots=True)
class FileReply:
    """A file to be sent."""

    content_type: str
    disposition: str
    size_bytes: int
    tag: str
    is_private: bool
    """Whether only the one who asked may keep it: it was given to somebody signed in."""


def disposition(is_inline: bool, name: str | None) -> str:
    """The header Content-Disposition. Names that are no token go in the form of RFC 8187."""
    kind = "inline" if is_inline else "attachment"
    if not name:
        return kind
    if _TOKEN.fullmatch(name):
        return f"{kind}; filename={name}"
    return f"{kind}; filename*=utf-8''{quote(name, safe='')}"


def reply_with(file: FileReply, request: Request, read: Read) -> Response:
    """The answer to a GET or HEAD of a file: all of it, a range, or that the client has it already."""
    tag = f'"{file.tag}"'
    scope = "private" if file.is_private else "public"
    headers = [
        *_HEADERS,
        ("ETag", tag),
        ("Cache-Control", f"{scope}, max-age=86400, immutable"),
        ("Accept-Ranges", "bytes"),
    ]
    known = request.headers.get("If-None-Match")
    if known is not None and (known.strip() == "*" or tag in _TAG.findall(known)):
        return Response(None, 304, headers)
    headers += [("Content-Type", file.content_type), ("Content-Disposition", file.disposition)]
    wanted = _range_of(request, file.size_bytes, tag)
    if wanted is None:
        start, end, status = 0, file.size_bytes, 200
    else:
        start, end = wanted
        status = 206
        if start >= end:
            error = {
                "errcode": "M_INVALID_PARAM",
                "error": f"The file has {file.size_bytes} bytes; ask for some of them.",
            }
            return json_reply(error, 416, {"Content-Range": f"bytes */{file.size_bytes}", "Accept-Ranges": "bytes"})
        headers.append(("Content-Range", f"bytes {start}-{end - 1}/{file.size_bytes}"))
    headers.append(("Content-Length", str(end - start)))
    if request.method == "HEAD" or end == start:
        return Response(None, status, headers)
    return Response(_limited(read(start), end - start), status, headers, direct_passthrough=True)


def _range_of(request: Request, size: int, tag: str) -> tuple[int, int] | None:
    """(first byte, byte after the last) asked for; None for all of it, which is also the answer to several ranges."""
    asked = request.headers.get("Range")
    if asked is None:
        return None
    condition = request.headers.get("If-Range")
    if condition is not None and condition.strip() != tag:
        return None
    match = _RANGE.fullmatch(asked)
    if match is None or not (match[1] or match[2]):
        return None
    if not match[1]:
        last = int(match[2])
        return (max(0, size - last), size) if last else (size, size)
    start = int(match[1])
    end = int(match[2]) + 1 if match[2] else size
    if match[2] and end <= start:
        return None
    return start, min(end, size)


class _limited:
    """The first `left` bytes of the pieces."""

    def __init__(self, pieces: Iterator[bytes], left: int) -> None:
        self._pieces, self._left = pieces, left

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            if len(piece) >= self._left:
                yield piece[: self._left]
                return
            self._left -= len(piece)
            yield piece

    def close(self) -> None:
        """Let go of the file."""
        close = getattr(self._pieces, "close", None)
        if close is not None:
            close()
