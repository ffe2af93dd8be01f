"""Paths as they were sent: where `%2F` inside an id is not a slash between two path segments.

WSGI servers decode the path before anybody can route on it, yet room ids, aliases and state keys may contain `/`. So
routing works on the raw request target, and each segment is decoded by the converter that matched it. Views receive
decoded values and never split a path; signed federation requests read `raw_target`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from werkzeug.exceptions import BadRequest
from werkzeug.routing import PathConverter, UnicodeConverter

LEGACY_PREFIXES: Mapping[str, str] = {
    "/_matrix/client/r0/": "/_matrix/client/v3/",
    "/_matrix/media/r0/": "/_matrix/media/v3/",
}
"""What is served under another prefix: every endpoint of the releases before v1.1 is its v3 successor."""

_SAFE_IN_PATH = "/%:@!$&'()*+,;=~"


class UndecodablePath(BadRequest):
    """A path segment is percent-encoded, but not UTF-8."""

    errcode = "M_INVALID_PARAM"

    def __init__(self) -> None:
        super().__init__("A part of the path is not percent-encoded UTF-8.")


class SegmentConverter(UnicodeConverter):
    """One path segment, decoded after it was matched: `!a%2Fb:x` arrives as `!a/b:x`."""

    def to_python(self, value: str) -> str:
        """The decoded segment. Raises: `UndecodablePath`."""
        return decode_segment(value)


class RestConverter(PathConverter):
    """The rest of the path, slashes included, decoded as one."""

    def to_python(self, value: str) -> str:
        """The decoded rest. Raises: `UndecodablePath`."""
        return decode_segment(value)


def decode_segment(value: str) -> str:
    """Undo the percent-encoding of one path segment. Raises: `UndecodablePath` where it is not UTF-8."""
    if "%" not in value:
        return value
    try:
        return unquote(value, errors="strict")
    except UnicodeDecodeError as error:
        raise UndecodablePath from error


def raw_target(environ: Mapping[str, Any]) -> str:
    """The request target as it was sent, query included: what a federation signature covers.

    Without a server that reports it (`RAW_URI` of gunicorn, `REQUEST_URI` of others) it is rebuilt from the decoded
    path, where an encoded slash is lost.
    """
    raw = environ.get("RAW_URI") or environ.get("REQUEST_URI")
    if raw:
        return raw if raw[0] == "/" else _of_absolute_form(raw)
    path = quote(environ.get("PATH_INFO", "/").encode("latin-1", "replace"), safe=_SAFE_IN_PATH.replace("%", ""))
    query = environ.get("QUERY_STRING", "")
    return f"{path}?{query}" if query else path


def routing_path(environ: Mapping[str, Any], aliases: Mapping[str, str]) -> str:
    """The path to route on: still percent-encoded, ASCII, one slash at its start, legacy prefixes replaced.

    `aliases` maps a prefix of three segments (`/_matrix/client/r0/`) to the one that serves it.
    """
    path = raw_target(environ).partition("?")[0].partition("#")[0]
    if not path.isascii():
        path = quote(path.encode("latin-1", "replace"), safe=_SAFE_IN_PATH)
    if path.startswith("//"):
        path = "/" + path.lstrip("/")
    for prefix, serving in aliases.items():
        if path.startswith(prefix):
            return serving + path[len(prefix) :]
    return path or "/"


def _of_absolute_form(target: str) -> str:
    """The path and query of `http://host/path?query`; `/` for the `*` of OPTIONS and anything else."""
    if not target.lower().startswith(("http://", "https://")):
        return "/"
    try:
        parts = urlsplit(target)
    except ValueError:
        return "/"
    path = parts.path or "/"
    return f"{path}?{parts.query}" if parts.query else path
