"""What the directory needs of other servers. Federation implements it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from core.ids import RoomId, ServerName


@dataclass(frozen=True, slots=True)
class RemoteSpace:
    """What another server says of a room: its summary with `children_state`, those of its children, unchecked."""

    room: Mapping[str, Any]
    children: Sequence[Mapping[str, Any]]
    inaccessible: frozenset[str]
    """Children that nobody on this server may look into or join."""


class RemoteDirectory(Protocol):
    """Rooms that this server is not in."""

    def space(self, room_id: RoomId, via: Sequence[ServerName], is_suggested_only: bool) -> RemoteSpace | None:
        """Ask the servers in turn; None where none of them tells. An answer is kept for some minutes.

        Spec: Server-Server API, `GET /hierarchy/{roomId}`.
        """

    def public_rooms(self, server: ServerName, query: Mapping[str, Any]) -> Mapping[str, Any]:
        """Another server's directory; `query` is the body of the request. Raises MatrixError.

        Spec: Server-Server API, `POST /publicRooms`.
        """
