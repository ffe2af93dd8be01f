"""The plugin's configuration, under the names of `homeserver.yaml` without their prefix, and which links it closes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import translate
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from core.hooks import AddressRanges, PluginError
from plugins.url_previews.oembed import Provider, read_providers

PARTS: Final = ("scheme", "username", "password", "netloc", "hostname", "port", "path", "query", "fragment")
"""The parts of a URL that a pattern may be for, as Python calls them."""
_KEYS: Final = frozenset(
    {"enabled", "closed_ranges", "open_ranges", "url_blacklist", "accept_language", "max_spider_size", "oembed"}
)


class Refused:
    """Links never visited: entries of patterns, all of which must fit the parts of a link."""

    def __init__(self, entries: Sequence[Mapping[str, Any]] = ()) -> None:
        self._entries = [_compiled(entry) for entry in entries]

    def covers(self, url: str) -> bool:
        """Whether a link is not to be visited; so is what is no URL."""
        try:
            parts = urlsplit(url)
            return any(all(fits(_part(parts, name)) for name, fits in entry) for entry in self._entries)
        except ValueError:
            return True


KEPT_SECONDS: Final = 2 * 86_400.0
"""For how long a preview and its image are kept."""


@dataclass(frozen=True, slots=True)
class PreviewSettings:
    """What the configuration says. `ranges` None stands for the server's own `ip_range_blacklist`."""

    enabled: bool = False
    ranges: AddressRanges | None = None
    refused: Refused = field(default_factory=Refused)
    accept_language: str = "en"
    max_bytes: int = 10_485_760
    providers: tuple[Provider, ...] = ()


def read_settings(config: Mapping[str, Any]) -> PreviewSettings:
    """Read the configuration. Raises PluginError naming what is wrong."""
    unknown = sorted(set(config) - _KEYS)
    if unknown:
        raise PluginError(f"{unknown[0]} is no setting of url_previews; there are {', '.join(sorted(_KEYS))}")
    closed, opened = config.get("closed_ranges"), config.get("open_ranges") or ()
    ranges = None if closed is None else AddressRanges(tuple(map(str, closed)), tuple(map(str, opened)))
    return PreviewSettings(
        config.get("enabled", False),
        ranges,
        Refused(config.get("url_blacklist", ())),
        ", ".join(config.get("accept_language", ["en"])),
        config.get("max_spider_size", 10_485_760),
        read_providers(config.get("oembed", {})) if config.get("enabled", False) else (),
    )


def _compiled(entry: Mapping[str, Any]) -> list[tuple[str, Callable[[str | None], bool]]]:
    """An entry's patterns: a regular expression where one begins with `^`, else a glob. A part not there never fits."""
    unknown = sorted(set(entry) - set(PARTS))
    if unknown or not entry:
        raise PluginError(
            f"an entry of url_preview_url_blacklist is {dict(entry)!r}; it names patterns for {', '.join(PARTS)}"
        )
    return [(name, _pattern(str(value))) for name, value in entry.items()]


def _pattern(text: str) -> Callable[[str | None], bool]:
    try:
        found = re.compile(text if text.startswith("^") else translate(text))
    except re.error as error:
        raise PluginError(f"{text} in url_preview_url_blacklist is no regular expression: {error}") from error
    return lambda part: part is not None and found.match(part) is not None


def _part(parts: SplitResult, name: str) -> str | None:
    found = getattr(parts, name)
    return None if found is None else str(found)
