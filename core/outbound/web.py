"""URLs: what plugins, pushers, previews and discovery ask for. Redirects are followed, each through the door again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from core.errors import InvalidParam
from core.hooks.api import HttpAnswer
from core.outbound.addresses import AddressRules
from core.outbound.connecting import Endpoint
from core.outbound.door import Answer, Door, Request
from core.outbound.failures import BrokenAnswer

if TYPE_CHECKING:
    from urllib3.util import Url

MAX_REDIRECTS = 5
_DEFAULT_PORTS = {"http": 80, "https": 443}
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_BECOMES_GET = frozenset({301, 302, 303})
_SECRET_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization"})


@dataclass(frozen=True, slots=True)
class _Asked:
    """One step of a chain of redirects."""

    url: str
    endpoint: Endpoint
    request: Request


class Web:
    """Implements core.hooks.api.Http. With `is_guarded` False the first host of a chain may be at any address:
    only for URLs that the administrator wrote into the configuration.
    """

    def __init__(self, door: Door) -> None:
        self._door = door

    def request(
        self,
        method: str,
        url: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_ms: int = 10_000,
        max_bytes: int = 1_000_000,
        is_guarded: bool = True,
    ) -> HttpAnswer:
        """Make one request, redirects followed. Raises NoAnswer (Unavailable), AddressRefused (Forbidden) and
        InvalidParam for what is no http or https URL.
        """
        with self.open(method, url, body=body, headers=headers, timeout_ms=timeout_ms, is_guarded=is_guarded) as answer:
            return HttpAnswer(answer.status, answer.headers, answer.read(max_bytes))

    @contextmanager
    def open(
        self,
        method: str,
        url: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_ms: int = 10_000,
        is_guarded: bool = True,
        max_redirects: int = MAX_REDIRECTS,
    ) -> Iterator[Answer]:
        """As `request`, with the body of the last answer still to be read."""
        asked = _asked(Request(method, "/", "", dict(headers or {}), body, timeout_ms), url, is_guarded)
        for _ in range(max_redirects + 1):
            with self._door.open(asked.endpoint, asked.request) as answer:
                location = answer.headers.get("location")
                if answer.status not in _REDIRECTS or location is None:
                    yield answer
                    return
                status = answer.status
            asked = _redirected(asked, status, location)
        raise BrokenAnswer(f"{_parse(url).host} redirects more than {max_redirects} times.")

    @contextmanager
    def open_once(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        timeout_ms: int = 10_000,
        rules: AddressRules | None = None,
    ) -> Iterator[Answer]:
        """As `open`, with redirects for the caller to follow. `rules` replaces the door's own."""
        asked = _asked(Request(method, "/", "", dict(headers or {}), None, timeout_ms), url, is_guarded=True)
        with self._door.open(replace(asked.endpoint, rules=rules), asked.request) as answer:
            yield answer


def _redirected(asked: _Asked, status: int, location: str) -> _Asked:
    """The request that follows a redirect; what is secret stays with the origin it was meant for."""
    request = asked.request
    if status in _BECOMES_GET and request.method not in {"GET", "HEAD"}:
        request = replace(request, method="GET", body=None)
    try:
        following = _asked(request, urljoin(asked.url, location), is_guarded=True)
    except InvalidParam as error:
        raise BrokenAnswer(f"{request.host} redirects to what is no URL of the web.") from error
    if (following.endpoint.host, following.endpoint.port, following.endpoint.tls_name) != (
        asked.endpoint.host,
        asked.endpoint.port,
        asked.endpoint.tls_name,
    ):
        kept = {name: value for name, value in request.headers.items() if name.lower() not in _SECRET_HEADERS}
        return replace(following, request=replace(following.request, headers=kept))
    return replace(following, endpoint=asked.endpoint)


def _asked(request: Request, url: str, is_guarded: bool) -> _Asked:
    parsed = _parse(url)
    host = str(parsed.host)
    name, scheme = host.strip("[]"), str(parsed.scheme)
    port = parsed.port if parsed.port is not None else _DEFAULT_PORTS[scheme]
    shown = host if port == _DEFAULT_PORTS[scheme] else f"{host}:{port}"
    endpoint = Endpoint(name, port, name if scheme == "https" else None, is_guarded)
    return _Asked(url, endpoint, replace(request, target=parsed.request_uri, host=shown))


def _parse(url: str) -> Url:
    """Raises InvalidParam for what is no absolute http or https URL, or carries a password."""
    from urllib3.exceptions import LocationParseError
    from urllib3.util import parse_url

    try:
        parsed = parse_url(url)
    except LocationParseError as error:
        raise InvalidParam("The URL cannot be read.") from error
    if parsed.scheme not in _DEFAULT_PORTS or not parsed.host or parsed.auth is not None or parsed.port == 0:
        raise InvalidParam("The URL must start with http:// or https:// and a host, without user and password.")
    return parsed
