"""Directories and spaces of other servers. Implements core.rooms' RemoteDirectory.

What a server said of a space is kept for some minutes, since a walk through spaces is asked for page by page.
Spec: Server-Server API, "Published Room Directory", "Spaces".
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from core.errors import MatrixError
from core.federation.allowed_servers import AllowedServers
from core.federation.calls import GraphCalls, ServerCalls
from core.ids import RoomId, ServerName
from core.rooms.remote_directory import RemoteSpace

KEPT_SECONDS = 300.0
MOST_KEPT = 500
"""How many answers are kept; each may have some hundred children."""
MOST_ASKED = 3
"""How many servers are asked about one room."""

_Key = tuple[RoomId, bool]

logger = logging.getLogger(__name__)


class FederatedDirectory:
    """Asks."""

    def __init__(
        self,
        graphs: GraphCalls,
        servers: ServerCalls,
        allowed: AllowedServers,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._graphs = graphs
        self._servers = servers
        self._allowed = allowed
        self._clock = clock
        self._kept: OrderedDict[_Key, tuple[float, RemoteSpace]] = OrderedDict()

    def space(self, room_id: RoomId, via: Sequence[ServerName], is_suggested_only: bool) -> RemoteSpace | None:
        """See RemoteDirectory."""
        key = (room_id, is_suggested_only)
        kept = self._kept.get(key)
        if kept is not None and kept[0] > self._clock():
            return kept[1]
        for server in [one for one in dict.fromkeys(via) if one != self._allowed.own][:MOST_ASKED]:
            try:
                found = self._graphs.hierarchy(server, room_id, is_suggested_only)
            except MatrixError as error:
                logger.info("%s tells nothing of room %s: %s", server, room_id, error.sentence)
            else:
                return self._keep(key, _read(found))
        return None

    def public_rooms(self, server: ServerName, query: Mapping[str, Any]) -> Mapping[str, Any]:
        """See RemoteDirectory."""
        return self._servers.public_rooms(server, query)

    def _keep(self, key: _Key, space: RemoteSpace) -> RemoteSpace:
        self._kept[key] = (self._clock() + KEPT_SECONDS, space)
        self._kept.move_to_end(key)
        if len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return space


def _read(found: Mapping[str, Any]) -> RemoteSpace:
    hidden = found.get("inaccessible_children")
    names = frozenset(one for one in hidden if isinstance(one, str)) if isinstance(hidden, list) else frozenset()
    return RemoteSpace(found["room"], found["children"], names)
