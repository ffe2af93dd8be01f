"""The two parts of a server name. Spec: Appendices, "Server Name"."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from core.ids import is_server_name
from core.outbound.addresses import find_address


@dataclass(frozen=True, slots=True)
class NameParts:
    """`host` is without brackets; `port` None where the name has none."""

    host: str
    port: int | None
    is_literal: bool
    """Whether the host is an address."""


@lru_cache(maxsize=4096)
def find_name_parts(name: str) -> NameParts | None:
    """The parts of a server name; None for what is none, or has a port that cannot be."""
    if not is_server_name(name):
        return None
    if name.startswith("["):
        host, _, rest = name[1:].partition("]")
        digits = rest.removeprefix(":")
    else:
        host, _, digits = name.partition(":")
    port = int(digits) if digits else None
    if port is not None and not 0 < port <= 65535:
        return None
    is_literal = find_address(host) is not None
    if name.startswith("[") and not is_literal:
        return None
    return NameParts(host, port, is_literal)
