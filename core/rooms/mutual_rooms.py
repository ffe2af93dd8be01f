"""The rooms two users are both in. Spec: Client-Server API, "Mutual Rooms"."""

from __future__ import annotations

from dataclasses import dataclass

from core.errors import InvalidParam
from core.graph.graph import Graph
from core.ids import Requester, RoomId, UserId

ROOMS_PER_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class MutualRoomsPage:
    """Some of the rooms, how many there are in all, and the token for more."""

    joined: list[RoomId]
    count: int
    next_batch: str | None


class MutualRooms:
    """Finds shared rooms."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def page(self, requester: Requester, user_id: UserId, token: str | None) -> MutualRoomsPage:
        """A page of the rooms that the requester and `user_id` are joined to, by their numbers.

        Raises InvalidParam for the requester's own id and for a token that is none.
        """
        if user_id == requester.user_id:
            raise InvalidParam("'user_id' must be another user than yourself.")
        after = _read_token(token)
        other = self._graph.texts.find(user_id)
        shared = [] if other is None else sorted(self._graph.memberships.shared_rooms(requester.user_nid, other))
        left = [room for room in shared if room > after]
        found = left[:ROOMS_PER_PAGE]
        names = self._graph.rooms.names(found)
        more = f"m{found[-1]}" if len(left) > ROOMS_PER_PAGE else None
        return MutualRoomsPage([names[room].room_id for room in found], len(shared), more)


def _read_token(token: str | None) -> int:
    if token is None:
        return 0
    digits = token[1:]
    if token[:1] != "m" or not (digits.isascii() and digits.isdigit() and len(digits) < 19):
        raise InvalidParam("'from' must be a next_batch of an earlier answer to this request.")
    return int(digits)
