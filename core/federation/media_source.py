"""Media of other servers: the signed endpoint, and the one from before it for servers that lack it.

Implements core.media.remote.RemoteSource. A server may answer with the URL where the file is; it is followed through
the outbound door, which refuses private addresses.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import quote, unquote

from core.errors import MatrixError, NotFound
from core.federation.remote_errors import RemoteNonsense, RemoteRefusal
from core.federation.signed_client import Patience, SignedClient
from core.ids import ServerName
from core.media.downloads import NotYetUploaded
from core.media.multipart import Malformed, boundary_of, second_part
from core.media.remote import Fetched, RemoteTooLarge
from core.outbound.door import Answer
from core.outbound.web import Web

FETCH_MS = 120_000
"""Longest time for a whole file, beside what the client is ready to wait."""
_EXTRA_BYTES = 131_072
_LEGACY_STATUSES = frozenset({400, 404, 405})
_NAME = re.compile(r";\s*filename\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"|([^\s;]+))", re.IGNORECASE)
_NAME_UTF8 = re.compile(r";\s*filename\*\s*=\s*utf-8'[^']*'([^\s;]+)", re.IGNORECASE)


class MediaSource:
    """Fetches files."""

    def __init__(self, client: SignedClient, web: Web) -> None:
        self._client, self._web = client, web

    @contextmanager
    def fetch(self, origin: ServerName, media_id: str, timeout_ms: int, max_bytes: int) -> Iterator[Fetched]:
        """The file, open for the length of the block. Raises: `NotFound`, `MatrixError`s of 502, 503 and 504."""
        path = f"/_matrix/federation/v1/media/download/{quote(media_id, safe='')}"
        patience, query = Patience(FETCH_MS, 0, 0), {"timeout_ms": str(timeout_ms)}
        with ExitStack() as stack:
            try:
                answer = stack.enter_context(self._client.open(origin, "GET", path, query, patience=patience))
            except RemoteRefusal as refusal:
                if refusal.answered_status not in _LEGACY_STATUSES or refusal.answered_errcode == "M_NOT_FOUND":
                    raise _told(origin, refusal) from refusal
                yield stack.enter_context(self._legacy(origin, media_id, timeout_ms, max_bytes))
            else:
                yield stack.enter_context(self._opened(origin, answer, max_bytes))

    @contextmanager
    def _opened(self, origin: ServerName, answer: Answer, max_bytes: int) -> Iterator[Fetched]:
        try:
            boundary = boundary_of(answer.headers.get("content-type", ""))
            headers, pieces = second_part(boundary, answer.pieces(max_bytes + _EXTRA_BYTES))
            location = headers.get("location")
            if location is None:
                name = file_name(headers.get("content-disposition", ""))
                yield Fetched(headers.get("content-type"), name, pieces, _length(answer))
                return
        except Malformed as error:
            raise RemoteNonsense(origin, f"{error}.") from error
        with self._web.open("GET", location, timeout_ms=FETCH_MS) as moved:
            if moved.status != 200:
                raise NotFound(f"{origin} says that the file is elsewhere, and it is not.")
            yield _fetched(moved, max_bytes)

    @contextmanager
    def _legacy(self, origin: ServerName, media_id: str, timeout_ms: int, max_bytes: int) -> Iterator[Fetched]:
        path = f"/_matrix/media/v3/download/{quote(origin, safe=':[]')}/{quote(media_id, safe='')}"
        query = {"allow_remote": "false", "timeout_ms": str(timeout_ms)}
        with ExitStack() as stack:
            try:
                exchange = self._client.open(origin, "GET", path, query, patience=Patience(FETCH_MS, 0, 0))
                answer = stack.enter_context(exchange)
            except RemoteRefusal as refusal:
                raise _told(origin, refusal) from refusal
            yield _fetched(answer, max_bytes)


def file_name(disposition: str) -> str | None:
    """The file name in a header Content-Disposition, None where it has none."""
    found = _NAME_UTF8.search(disposition)
    if found is not None:
        return unquote(found[1], errors="replace")
    found = _NAME.search(disposition)
    if found is None:
        return None
    return found[2] if found[1] is None else re.sub(r"\\(.)", r"\1", found[1])


def _fetched(answer: Answer, max_bytes: int) -> Fetched:
    headers = answer.headers
    name = file_name(headers.get("content-disposition", ""))
    return Fetched(headers.get("content-type"), name, answer.pieces(max_bytes + 1), _length(answer))


def _length(answer: Answer) -> int | None:
    """How long the body will be; None where it is not said, or the body is packed."""
    announced = answer.headers.get("content-length", "")
    is_plain = "content-encoding" not in answer.headers
    return int(announced) if is_plain and announced.isascii() and announced.isdigit() else None


def _told(origin: ServerName, refusal: RemoteRefusal) -> MatrixError:
    """What the client is told of a refusal."""
    if refusal.answered_errcode == "M_NOT_YET_UPLOADED":
        return NotYetUploaded("This file is still being uploaded; try again.")
    if refusal.answered_errcode == "M_TOO_LARGE":
        return RemoteTooLarge(f"The file is larger than {origin} serves.")
    if refusal.answered_status in _LEGACY_STATUSES:
        return NotFound(f"{origin} has no such media.")
    return refusal
