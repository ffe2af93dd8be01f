"""Visiting links: each step of a chain of redirects through the server's door, none of them to what is closed.

A visit is bounded in time, size and number of steps, whatever answers. What comes is only ever read, never run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

from core.hooks import Forbidden, HttpStream, InvalidParam, MatrixError, PluginApi
from plugins.url_previews.settings import PreviewSettings

SECONDS: Final = 20.0
"""How long everything for one preview may take."""
MAX_REDIRECTS: Final = 6
MAX_URL: Final = 4_096
USER_AGENT: Final = "Mozilla/5.0 (compatible; Trellis link preview bot)"
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_SAFE: Final = "%/:=&?~#+!$,;'@()*[]"


class NoPreview(MatrixError):
    """The link could not be visited, or what it leads to is no page."""

    errcode, status = "M_UNKNOWN", 502


@dataclass(frozen=True, slots=True)
class Visited:
    """What a link led to; `url` is where it was found. `body` is not more than was asked for."""

    url: str
    content_type: str
    headers: Mapping[str, str]
    body: bytes


class Visit:
    """Everything that is fetched for one preview, within one time limit."""

    def __init__(self, api: PluginApi, settings: PreviewSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._api, self._settings, self._clock = api, settings, clock
        self._ends_at = clock() + SECONDS

    def fetch(self, url: str, max_bytes: Callable[[str], int], accept: str) -> Visited:
        """Fetch a link. `max_bytes` says for a content type how much of it is wanted: the rest is not read.

        Raises: `NoPreview`, `Forbidden` for what is closed, `InvalidParam`.
        """
        for _ in range(MAX_REDIRECTS + 1):
            with self._opened(url, accept) as answer:
                location = answer.headers.get("location")
                if answer.status in _REDIRECTS and location:
                    url = self._following(url, location)
                    continue
                if not 200 <= answer.status < 300:
                    raise NoPreview(f"{urlsplit(url).hostname} answered with the status {answer.status}.")
                content_type = answer.headers.get("content-type", "").lower()
                body = self._beginning(answer, max_bytes(content_type))
                return Visited(url, content_type, answer.headers, body)
        raise NoPreview(f"The link redirects more than {MAX_REDIRECTS} times.")

    @contextmanager
    def _opened(self, url: str, accept: str) -> Iterator[HttpStream]:
        settings = self._settings
        if settings.refused.covers(url):
            raise Forbidden("This server does not visit that link.")
        left_ms = int((self._ends_at - self._clock()) * 1000)
        if left_ms <= 0:
            raise NoPreview("The link took too long to answer.")
        headers = {"User-Agent": USER_AGENT, "Accept": accept, "Accept-Language": settings.accept_language}
        try:
            with self._api.http.open("GET", url, headers=headers, timeout_ms=left_ms, ranges=settings.ranges) as answer:
                yield answer
        except (NoPreview, Forbidden, InvalidParam):
            raise
        except MatrixError as error:
            raise NoPreview(error.sentence) from error

    def _beginning(self, answer: HttpStream, wanted: int) -> bytes:
        """As much of the body as is wanted. Raises: `NoPreview` where it is announced to be larger than allowed."""
        if not wanted:
            return b""
        announced, most = answer.headers.get("content-length", ""), self._settings.max_bytes
        if announced.isdigit() and int(announced) > most:
            raise NoPreview(f"The link leads to {announced} bytes, more than the {most} that are read for a preview.")
        found = bytearray()
        for piece in answer.pieces(max(most, wanted) + 1):
            found += piece
            if len(found) >= wanted:
                break
        return bytes(found[:wanted])

    @staticmethod
    def _following(url: str, location: str) -> str:
        try:
            return cleaned_url(urljoin(url, location))
        except (InvalidParam, ValueError) as error:
            raise NoPreview("The link redirects to what is no URL of the web.") from error


def cleaned_url(url: str) -> str:
    """A link as it is visited: without its fragment, all else in ASCII. Raises: `InvalidParam` where it is none."""
    try:
        parts = urlsplit(url.strip())
        host = parts.hostname or ""
        is_link = parts.scheme in {"http", "https"} and bool(host) and len(url) <= MAX_URL and parts.port != 0
        if not host.isascii():
            host = host.encode("idna").decode("ascii")
        netloc = parts.netloc if parts.netloc.isascii() else f"{host}:{parts.port}" if parts.port else host
    except (ValueError, UnicodeError):
        is_link = False
    if not is_link:
        raise InvalidParam(f"'url' must be a link of http or https, of at most {MAX_URL} characters.")
    return urlunsplit((parts.scheme, netloc, quote(parts.path, _SAFE) or "/", quote(parts.query, _SAFE), ""))
