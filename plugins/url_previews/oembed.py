"""oEmbed: sites that tell about their pages in JSON when asked at an address of its own. Spec: oembed.com.

Of an answer only words and the address of an image are taken; its HTML is never passed on.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode, urlsplit, urlunsplit

from core.hooks import PluginError
from plugins.url_previews.pages import MAX_VALUE, Page, shortened
from plugins.url_previews.tags import squeezed, words_of

_DEFAULTS: Final = (
    ("https://publish.twitter.com/oembed", ("https://twitter.com/*/status/*", "https://*.twitter.com/*/status/*",
     "https://x.com/*/status/*", "https://*.x.com/*/status/*")),
    ("https://www.youtube.com/oembed", ("https://*.youtube.com/watch*", "https://*.youtube.com/shorts/*",
     "https://*.youtube.com/playlist*", "https://youtu.be/*")),
    ("https://vimeo.com/api/oembed.json", ("https://vimeo.com/*", "https://player.vimeo.com/video/*")),
    ("https://www.tiktok.com/oembed", ("https://www.tiktok.com/*/video/*",)),
    ("https://www.reddit.com/oembed", ("https://reddit.com/r/*/comments/*/*", "https://www.reddit.com/r/*/comments/*/*")),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Provider:
    """Where to ask about pages whose address fits one of `schemes`."""

    endpoint: str
    schemes: tuple[re.Pattern[str], ...]


def read_providers(config: Mapping[str, Any]) -> tuple[Provider, ...]:
    """The providers that `oembed` asks for. Raises PluginError for what cannot be read."""
    unknown = sorted(set(config) - {"disable_default_providers", "additional_providers"})
    if unknown:
        raise PluginError(f"oembed has a key {unknown[0]}; it may have disable_default_providers, additional_providers")
    found = [] if config.get("disable_default_providers") else [_provider(*one) for one in _DEFAULTS]
    for path in config.get("additional_providers") or ():
        found += _read_file(path)
    return tuple(found)


def find_endpoint(providers: Sequence[Provider], url: str) -> str | None:
    """The address at which to ask about `url`, where a provider is known for it."""
    for provider in providers:
        if any(scheme.fullmatch(url) for scheme in provider.schemes):
            return question(provider.endpoint, url)
    return None


def question(endpoint: str, url: str) -> str:
    """The address of the question about `url`."""
    scheme, netloc, path, query, _ = urlsplit(endpoint.replace("{format}", "json"))
    asked = urlencode({"url": url, "format": "json"})
    return urlunsplit((scheme, netloc, path, f"{query}&{asked}" if query else asked, ""))


def read_answer(body: bytes, url: str) -> Page | None:
    """What a provider told; None where that is no oEmbed answer."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(told, dict) or str(told.get("version", "1.0")) not in {"1.0", "1"}:
        return None
    kind, page = told.get("type"), Page({"og:url": url[:MAX_VALUE]})
    for key, name in (("title", "og:title"), ("provider_name", "og:site_name"), ("author_name", "og:article:author")):
        if isinstance(told.get(key), str) and told[key].strip():
            page.properties[name] = squeezed(told[key])[:MAX_VALUE]
    if "og:title" not in page.properties and "og:article:author" in page.properties:
        page.properties["og:title"] = page.properties["og:article:author"]
    if kind == "rich" and isinstance(told.get("html"), str):
        page.properties["og:description"] = shortened(words_of(told["html"]))
    elif kind == "video":
        page.properties["og:type"] = "video.other"
    images = [told.get("url") if kind == "photo" else None, told.get("thumbnail_url")]
    page.images += [image for image in images if isinstance(image, str) and image.startswith(("http://", "https://"))]
    return page


def _read_file(path: object) -> list[Provider]:
    """The providers of a file in the form of oembed.com's providers.json."""
    try:
        listed = json.loads(Path(str(path)).read_bytes())
        return [
            _provider(endpoint["url"], endpoint.get("schemes") or ())
            for provider in listed
            for endpoint in provider["endpoints"]
            if endpoint.get("schemes") and "json" in (endpoint.get("formats") or ["json"])
        ]
    except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise PluginError(f"{path} of oembed.additional_providers cannot be read as a list of providers") from error


def _provider(endpoint: str, schemes: Sequence[str]) -> Provider:
    return Provider(endpoint, tuple(_scheme(scheme) for scheme in schemes))


def _scheme(pattern: str) -> re.Pattern[str]:
    """A pattern with `*` for anything; in the name of the host, for anything without a slash."""
    start, _, rest = pattern.partition("://")
    host, slash, path = rest.partition("/")
    wild_host = "[^/?#]*".join(map(re.escape, host.split("*")))
    wild_path = ".*".join(map(re.escape, path.split("*")))
    scheme = "https?" if start in {"http", "https"} else re.escape(start)
    return re.compile(f"{scheme}://{wild_host}{slash}{wild_path}", re.IGNORECASE | re.DOTALL)
