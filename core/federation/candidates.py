"""Servers through which something may be done, tried one after another."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TypeVar

from core.errors import IncompatibleRoomVersion, MatrixError, NotFound, UnsupportedRoomVersion
from core.federation.allowed_servers import AllowedServers
from core.federation.remote_errors import RemoteRefusal
from core.ids import RoomId, ServerName, is_server_name

MOST_TRIED = 8
"""How many servers are tried at most."""

T = TypeVar("T")

logger = logging.getLogger(__name__)


class Candidates:
    """Tries servers."""

    def __init__(self, allowed: AllowedServers) -> None:
        self._allowed = allowed

    def of(self, room_id: RoomId, via: Iterable[str]) -> list[ServerName]:
        """The servers to try: those named, and the one in the room's id, each once, ourselves left out."""
        names = [*via, room_id.partition(":")[2]]
        usable = [ServerName(name) for name in dict.fromkeys(names) if name and is_server_name(name)]
        return [name for name in usable if name != self._allowed.own][:MOST_TRIED]

    def first(self, room_id: RoomId, servers: Iterable[ServerName], attempt: Callable[[ServerName], T]) -> T:
        """What the first server brings with which `attempt` works. Raises the most telling error of all, NotFound."""
        errors: list[MatrixError] = []
        for server in servers:
            try:
                return attempt(server)
            except UnsupportedRoomVersion:
                raise
            except MatrixError as error:
                logger.info("It did not work with %s for room %s: %s", server, room_id, error.sentence)
                errors.append(error)
                if error.errcode == IncompatibleRoomVersion.errcode:
                    raise
        refusals = [error for error in errors if isinstance(error, RemoteRefusal) and error.status == 403]
        if not errors:
            raise NotFound(f"No server is known through which room {room_id} could be reached.")
        raise (refusals or errors)[0]
