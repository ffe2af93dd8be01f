"""Parsers of setting values: from what YAML gives to what the code uses.

Each raises ValueError with what is allowed ("true or false"); the loader adds key and value. They convert only what
people write by habit (`"50M"`, `"7d"`); a string where a number belongs is an error, not a guess.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

Parser = Callable[[Any], Any]

_SIZES = {"": 1, "B": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}
_DURATIONS_MS = {
    "": 1,
    "ms": 1,
    "s": 1000,
    "m": 60_000,
    "h": 3_600_000,
    "d": 86_400_000,
    "w": 7 * 86_400_000,
    "y": 365 * 86_400_000,
}


@dataclass(frozen=True, slots=True)
class Rate:
    """A token bucket: `burst_count` requests at once, refilled at `per_second`."""

    per_second: float
    burst_count: int


def boolean(value: Any) -> bool:
    """True or false, as YAML spells them."""
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


def text(value: Any) -> str:
    """A string."""
    if not isinstance(value, str):
        raise ValueError("a text; put it in quotes if YAML takes it for something else")
    return value


def integer(minimum: int = 0, maximum: int | None = None) -> Parser:
    """A whole number within bounds."""
    allowed = f"a whole number from {minimum}" + (f" to {maximum}" if maximum is not None else " up")

    def parse(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(allowed)
        if value < minimum or (maximum is not None and value > maximum):
            raise ValueError(allowed)
        return value

    return parse


def number(minimum: float = 0.0) -> Parser:
    """A number, whole or not."""

    def parse(value: Any) -> float:
        # `not >=` also turns NaN away
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= minimum:
            raise ValueError(f"a number from {minimum:g} up")
        return float(value)

    return parse


def choice(*allowed: Any) -> Parser:
    """One of a few values."""

    def parse(value: Any) -> Any:
        if not any(type(value) is type(one) and value == one for one in allowed):
            raise ValueError("one of " + ", ".join(repr(one) for one in allowed))
        return value

    return parse


def size_bytes(value: Any) -> int:
    """Bytes, as a number or with a suffix K, M, G or T (powers of 1024)."""
    return _with_suffix(value, _SIZES, str.upper, "a number of bytes, or one with a suffix: 512K, 50M, 1G")


def duration_ms(value: Any) -> int:
    """Milliseconds, as a number or with a suffix s, m, h, d, w or y."""
    allowed = "a number of milliseconds, or one with a suffix: 30s, 5m, 2h, 7d, 1w, 1y"
    return _with_suffix(value, _DURATIONS_MS, str.lower, allowed)


def path(value: Any) -> str:
    """A path, made absolute from the working directory; `~` is the home folder."""
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError("a path")
    return os.path.abspath(os.path.expanduser(value))


def base_url(value: Any) -> str:
    """An http or https URL; always ends in a slash."""
    if not isinstance(value, str) or not re.fullmatch(r"https?://[^\s/?#]+(/[^\s?#]*)?", value):
        raise ValueError("a URL such as https://matrix.example.com/")
    return value if value.endswith("/") else value + "/"


def network(value: Any) -> Any:
    """An IP address or range in CIDR form."""
    try:
        return ipaddress.ip_network(text(value), strict=False)
    except ValueError as error:
        raise ValueError("an IP address or a range such as 10.0.0.0/8") from error


def regex(value: Any) -> re.Pattern[str]:
    """A regular expression."""
    try:
        return re.compile(text(value))
    except re.error as error:
        raise ValueError(f"a regular expression ({error})") from error


def list_of(item: Parser, *, single: bool = False) -> Parser:
    """A list; with `single`, one value alone stands for a list of it."""

    def parse(value: Any) -> tuple[Any, ...]:
        if single and isinstance(value, str):
            value = [value]
        if not isinstance(value, (list, tuple)):
            raise ValueError("a list")
        parsed = []
        for position, one in enumerate(value, 1):
            try:
                parsed.append(item(one))
            except ValueError as error:
                raise ValueError(f"a list where item {position} is {error}") from error
        return tuple(parsed)

    return parse


def mapping(value: Any) -> Mapping[str, Any]:
    """A mapping with text keys and any values, read-only."""
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise ValueError("a mapping of names to values")
    return MappingProxyType(dict(value))


def mapping_of(item: Parser) -> Parser:
    """A mapping whose values all pass `item`."""

    def parse(value: Any) -> Mapping[str, Any]:
        parsed = {}
        for key, one in mapping(value).items():
            try:
                parsed[key] = item(one)
            except ValueError as error:
                raise ValueError(f"a mapping where {key!r} is {error}") from error
        return MappingProxyType(parsed)

    return parse


def either(*parsers: Parser) -> Parser:
    """The first of several parsers that accepts the value."""

    def parse(value: Any) -> Any:
        allowed = []
        for parser in parsers:
            try:
                return parser(value)
            except ValueError as error:
                allowed.append(str(error))
        raise ValueError(", or ".join(allowed))

    return parse


def anything(value: Any) -> Any:
    """Whatever YAML gives; for settings whose shape a plugin defines."""
    return value


def rate(per_second: float, burst_count: int) -> Parser:
    """A rate limit: a mapping with `per_second` and `burst_count`; one left out keeps the value given here."""
    allowed = "a mapping with per_second (a number above 0) and burst_count (a whole number from 0 up)"

    def parse(value: Any) -> Rate:
        if not isinstance(value, Mapping) or set(value) - {"per_second", "burst_count"}:
            raise ValueError(allowed)
        try:
            parsed = Rate(
                number()(value.get("per_second", per_second)), integer()(value.get("burst_count", burst_count))
            )
        except ValueError as error:
            raise ValueError(allowed) from error
        if parsed.per_second <= 0:
            raise ValueError(allowed)
        return parsed

    return parse


def _with_suffix(value: Any, units: Mapping[str, int], fold: Callable[[str], str], allowed: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    match = re.fullmatch(r"(\d+)\s*([A-Za-z]*)", value.strip()) if isinstance(value, str) else None
    if match is None or fold(match[2]) not in units:
        raise ValueError(allowed)
    return int(match[1]) * units[fold(match[2])]
