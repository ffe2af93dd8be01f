"""What rooms need of other servers. Federation implements it; until a server federates, nobody else is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from core.errors import NotFound
from core.ids import RoomAlias, RoomId, ServerName, UserId


class RemoteRooms(Protocol):
    """Rooms that this server is not in."""

    def join(self, user_id: UserId, room_id: RoomId, via: Sequence[ServerName], content: Mapping[str, Any]) -> None:
        """Join through another server; returns when the room can be used. Raises MatrixError."""

    def knock(self, user_id: UserId, room_id: RoomId, via: Sequence[ServerName], content: Mapping[str, Any]) -> None:
        """Knock through another server. Raises MatrixError."""

    def leave(self, user_id: UserId, room_id: RoomId, content: Mapping[str, Any]) -> None:
        """Reject an invite, or take back a knock, of a room we are not in. Raises MatrixError."""

    def invite(self, room_id: RoomId, sender: UserId, target: UserId, content: Mapping[str, Any]) -> None:
        """Send an invite to a user of another server, which signs it, and append it. Raises MatrixError."""

    def exchange_invite(self, room_id: RoomId, sender: UserId, target: UserId, content: Mapping[str, Any]) -> None:
        """Have the sender's server make an invite of a user of ours. Raises MatrixError."""

    def complexity(self, room_id: RoomId, via: Sequence[ServerName]) -> float | None:
        """How complex a room is by the word of a server in it; None where none tells."""

    def alias(self, alias: RoomAlias) -> tuple[RoomId, Sequence[ServerName]]:
        """Where another server's alias leads, and servers to join through. Raises NotFound."""


class LateRemoteRooms:
    """Other servers' rooms for services that are built before federation is: `wire` it once that is."""

    def __init__(self) -> None:
        self._rooms: RemoteRooms = NoRemoteRooms()

    def wire(self, rooms: RemoteRooms) -> None:
        """From now on ask `rooms`."""
        self._rooms = rooms

    def join(self, user_id: UserId, room_id: RoomId, via: Sequence[ServerName], content: Mapping[str, Any]) -> None:
        """See RemoteRooms."""
        self._rooms.join(user_id, room_id, via, content)

    def knock(self, user_id: UserId, room_id: RoomId, via: Sequence[ServerName], content: Mapping[str, Any]) -> None:
        """See RemoteRooms."""
        self._rooms.knock(user_id, room_id, via, content)

    def leave(self, user_id: UserId, room_id: RoomId, content: Mapping[str, Any]) -> None:
        """See RemoteRooms."""
        self._rooms.leave(user_id, room_id, content)

    def invite(self, room_id: RoomId, sender: UserId, target: UserId, content: Mapping[str, Any]) -> None:
        """See RemoteRooms."""
        self._rooms.invite(room_id, sender, target, content)

    def exchange_invite(self, room_id: RoomId, sender: UserId, target: UserId, content: Mapping[str, Any]) -> None:
        """See RemoteRooms."""
        self._rooms.exchange_invite(room_id, sender, target, content)

    def complexity(self, room_id: RoomId, via: Sequence[ServerName]) -> float | None:
        """See RemoteRooms."""
        return self._rooms.complexity(room_id, via)

    def alias(self, alias: RoomAlias) -> tuple[RoomId, Sequence[ServerName]]:
        """See RemoteRooms."""
        return self._rooms.alias(alias)


class NoRemoteRooms:
    """A server that talks to no other."""

    def join(self, user_id: UserId, room_id: RoomId, via: Sequence[ServerName], content: Mapping[str, Any]) -> None:
        """Raises NotFound."""
        raise NotFound(f"There is no room {room_id} on this server, and it does not reach others.")

    knock = join

    def leave(self, user_id: UserId, room_id: RoomId, content: Mapping[str, Any]) -> None:
        """Raises NotFound."""
        raise NotFound(f"There is no room {room_id} on this server, and it does not reach others.")

    def invite(self, room_id: RoomId, sender: UserId, target: UserId, content: Mapping[str, Any]) -> None:
        """Raises NotFound."""
        raise NotFound(f"{target} is a user of another server, and this server does not reach others.")

    def exchange_invite(self, room_id: RoomId, sender: UserId, target: UserId, content: Mapping[str, Any]) -> None:
        """Raises NotFound."""
        raise NotFound(f"{sender} is a user of another server, and this server does not reach others.")

    def complexity(self, room_id: RoomId, via: Sequence[ServerName]) -> float | None:
        """Nobody tells."""
        return None

    def alias(self, alias: RoomAlias) -> tuple[RoomId, Sequence[ServerName]]:
        """Raises NotFound."""
        raise NotFound(f"There is no alias {alias} on this server, and it does not reach others.")
