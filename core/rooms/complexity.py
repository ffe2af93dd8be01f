"""How complex rooms are, by the size of their state, and refusing to join those of other servers that are too much.

Another server is asked before a join, where it tells; the state that comes with the join is looked at in any case. The
measure is Synapse's, so that both understand each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import BadRequest, NotFound
from core.graph.graph import Graph
from core.ids import Requester, RoomId, ServerName
from core.rooms.remote_rooms import RemoteRooms
from core.storage.rooms import RoomName

ENTRIES_PER_UNIT = 500
"""So many entries of state make a complexity of 1."""


class RoomComplexity:
    """Measures rooms of which a state is here."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def of(self, room: RoomName) -> float:
        """The complexity of a room."""
        return round(len(self._graph.states.current(room.room_nid)) / ENTRIES_PER_UNIT, 2)

    def told(self, room_id: RoomId) -> float:
        """What other servers are told of a room that anybody may join or read. Raises NotFound."""
        room = self._graph.rooms.find(room_id)
        state = None if room is None else self._graph.states.current(room.room_nid)
        rule = None if state is None else state.event("m.room.join_rules")
        visibility = None if state is None else state.event("m.room.history_visibility")
        is_joinable = rule is not None and rule.content.get("join_rule") == "public"
        is_readable = visibility is not None and visibility.content.get("history_visibility") == "world_readable"
        if room is None or not (is_joinable or is_readable):
            raise NotFound(f"There is no public room {room_id} here.")
        return self.of(room)


@dataclass(frozen=True, slots=True)
class JoinLimit:
    """Which rooms of other servers are too complex to be joined. Settings `limit_remote_rooms`."""

    complexity: RoomComplexity
    remote: RemoteRooms
    most: float
    sentence: str
    spares_admins: bool = False
    contact: str = ""

    def check_before(self, requester: Requester, room_id: RoomId, via: Sequence[ServerName]) -> None:
        """Raise BadRequest where another server says that the room is too complex; silence is no reason."""
        if not self._spares(requester) and (self.remote.complexity(room_id, via) or 0) > self.most:
            raise self.refusal()

    def is_exceeded(self, requester: Requester, room: RoomName) -> bool:
        """Whether a room that was just joined should not have been."""
        return not self._spares(requester) and self.complexity.of(room) > self.most

    def refusal(self) -> BadRequest:
        """What the user is told."""
        return BadRequest(self.sentence, errcode="M_RESOURCE_LIMIT_EXCEEDED", admin_contact=self.contact)

    def _spares(self, requester: Requester) -> bool:
        return self.spares_admins and requester.is_admin
