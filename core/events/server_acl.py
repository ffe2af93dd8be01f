"""Server ACLs: which servers a room lets take part. Compiled once for each `m.room.server_acl` event, cheap to ask.

Spec: Client-Server API, `m.room.server_acl`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from core.events.globs import is_glob, whole_pattern

_PORT = re.compile(r":\d*\Z")
_IPV4 = re.compile(r"\d{1,3}(\.\d{1,3}){3}", re.ASCII)


class ServerAcl:
    """The rules of one `m.room.server_acl` event."""

    __slots__ = ("_allow", "_allows_ip_literals", "_deny")

    def __init__(self, content: Mapping[str, Any]) -> None:
        """Read the event's content. What is no list counts as an empty one, entries that are no strings as absent."""
        self._allows_ip_literals = content.get("allow_ip_literals") is not False
        self._allow = _Names(content.get("allow"))
        self._deny = _Names(content.get("deny"))

    def allows(self, server_name: str) -> bool:
        """Whether the server may take part; its port is left out of account."""
        host = without_port(server_name).lower()
        if not self._allows_ip_literals and is_ip_literal(host):
            return False
        return not self._deny.match(host) and self._allow.match(host)


def without_port(server_name: str) -> str:
    """The host of a server name: a DNS name, an IPv4 or a bracketed IPv6 literal."""
    if server_name.endswith("]"):
        return server_name
    return _PORT.sub("", server_name)


def is_ip_literal(host: str) -> bool:
    """Whether `host`, without port, is an address and not a name."""
    return host.startswith("[") or _IPV4.fullmatch(host) is not None


class _Names:
    """A list of names and globs, all in lower case.

    Nearly all globs are `*`, `*.suffix` or `prefix*`; those are compared, since compiling thousands of expressions
    takes tens of milliseconds.
    """

    __slots__ = ("_globs", "_names", "_prefixes", "_suffixes")

    def __init__(self, entries: object) -> None:
        given = entries if isinstance(entries, list) else []
        lowered = {entry.lower() for entry in given if isinstance(entry, str)}
        self._names = frozenset(entry for entry in lowered if not is_glob(entry))
        wild = lowered - self._names
        suffixes = {entry for entry in wild if entry[0] == "*" and not is_glob(entry[1:])}
        prefixes = {entry for entry in wild if entry[-1] == "*" and not is_glob(entry[:-1])}
        self._suffixes = tuple(entry[1:] for entry in suffixes)
        self._prefixes = tuple(entry[:-1] for entry in prefixes)
        globs = [f"(?:{whole_pattern(entry)})" for entry in sorted(wild - suffixes - prefixes)]
        self._globs = re.compile("|".join(globs), re.DOTALL) if globs else None

    def match(self, host: str) -> bool:
        if host in self._names or host.endswith(self._suffixes) or host.startswith(self._prefixes):
            return True
        return self._globs is not None and self._globs.match(host) is not None
