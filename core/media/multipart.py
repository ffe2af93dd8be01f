"""The body in which servers hand media to each other: metadata as JSON, then the file or where it is.

Read as it arrives, whatever its size. Spec: Server-Server API, "Content Repository"; RFC 2046, section 5.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

MAX_HEAD_BYTES = 65_536
"""Preamble, metadata and headers of the file together."""
_BOUNDARY = re.compile(r";\s*boundary\s*=\s*(?:\"([^\"]{1,70})\"|([^\s;\"]{1,70}))", re.IGNORECASE)


class Malformed(Exception):
    """What came is not such a body."""


def boundary_of(content_type: str) -> bytes:
    """The boundary that the header names. Raises Malformed."""
    found = _BOUNDARY.search(content_type)
    if not content_type.lower().strip().startswith("multipart/mixed") or found is None:
        raise Malformed("it is not multipart/mixed with a boundary")
    return (found[1] or found[2]).encode("latin-1", "replace")


def second_part(boundary: bytes, pieces: Iterator[bytes]) -> tuple[Mapping[str, str], Iterator[bytes]]:
    """(headers with names in lower case, body) of the second part; the first is passed over. Raises Malformed.

    The body raises Malformed where it does not end with the boundary.
    """
    delimiter, buffered = b"\r\n--" + boundary, b"\r\n"
    for _ in range(2):
        buffered = _after(delimiter, buffered, pieces)
        if buffered.startswith(b"--"):
            raise Malformed("it has fewer than two parts")
    buffered, rest = _split(b"\r\n\r\n", b"\r\n" + buffered.partition(b"\r\n")[2], pieces)
    headers: dict[str, str] = {}
    for line in buffered.decode("utf-8", "replace").split("\r\n"):
        name, colon, value = line.partition(":")
        if colon:
            headers.setdefault(name.strip().lower(), value.strip())
    return headers, _body(delimiter, rest, pieces)


def _after(mark: bytes, buffered: bytes, pieces: Iterator[bytes]) -> bytes:
    """What follows `mark`, with at least the line that it stands on."""
    _, rest = _split(mark, buffered, pieces)
    while b"\r\n" not in rest and not rest.startswith(b"--"):
        piece = next(pieces, b"")
        if not piece or len(rest) > MAX_HEAD_BYTES:
            raise Malformed("it ends early")
        rest += piece
    return rest


def _split(mark: bytes, buffered: bytes, pieces: Iterator[bytes]) -> tuple[bytes, bytes]:
    while mark not in buffered:
        if len(buffered) > MAX_HEAD_BYTES:
            raise Malformed(f"what precedes the file is longer than {MAX_HEAD_BYTES} bytes")
        piece = next(pieces, b"")
        if not piece:
            raise Malformed("it ends early")
        buffered += piece
    before, _, rest = buffered.partition(mark)
    return before, rest


def _body(delimiter: bytes, buffered: bytes, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Everything up to the delimiter; what might be the beginning of one is held back."""
    while True:
        at = buffered.find(delimiter)
        if at >= 0:
            if at:
                yield buffered[:at]
            return
        safe = len(buffered) - len(delimiter) + 1
        if safe > 0:
            yield buffered[:safe]
            buffered = buffered[safe:]
        piece = next(pieces, b"")
        if not piece:
            raise Malformed("it ends early")
        buffered += piece
