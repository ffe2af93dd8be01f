"""With which servers there is any talk at all: the list of the configuration, in both directions."""

from __future__ import annotations

from collections.abc import Iterable

from core.errors import Forbidden
from core.ids import ServerName


class AllowedServers:
    """`allowed` is None where everybody is; `own` is this server's name."""

    def __init__(self, own: ServerName, allowed: Iterable[str] | None) -> None:
        self.own = own
        self._allowed = None if allowed is None else frozenset(allowed)

    def allows(self, server: str) -> bool:
        """Whether `server` is another server that may be talked to."""
        return server != self.own and (self._allowed is None or server in self._allowed)

    def require(self, server: str) -> None:
        """Raise Forbidden unless `server` may be talked to."""
        if server == self.own:
            raise Forbidden(f"{server} is this server itself.")
        if not self.allows(server):
            raise Forbidden(f"This server does not federate with {server}.")
