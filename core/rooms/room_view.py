"""A room as plugins see it: core.hooks' RoomView over the stored graph."""

from __future__ import annotations

from collections.abc import Sequence

from core.events.event import Event
from core.graph.graph import Graph
from core.ids import RoomId, UserId
from core.storage.rooms import RoomName


class GraphRoomView:
    """The current state of one room, read when a plugin asks. Implements core.hooks.api.RoomView."""

    def __init__(self, graph: Graph, room: RoomName) -> None:
        self._graph = graph
        self._room = room

    @property
    def room_id(self) -> RoomId:
        """The room's id."""
        return self._room.room_id

    def state_event(self, type: str, state_key: str = "") -> Event | None:
        """The current state event under this key."""
        return self._graph.states.current(self._room.room_nid).event(type, state_key)

    def state(self, types: Sequence[str] | None = None) -> Sequence[Event]:
        """All current state, or that of some types."""
        state = self._graph.states.current(self._room.room_nid)
        if types is None:
            return [stored.event for stored in state.events().values()]
        return [stored.event for one in types for stored in state.of_type(one).values()]

    def members(self, membership: str = "join") -> Sequence[UserId]:
        """The users with this membership now."""
        members = self._graph.memberships.members(self._room.room_nid, (membership,))
        texts = self._graph.texts.texts({member.user_nid for member in members})
        return [UserId(texts[member.user_nid]) for member in members]
