"""Which servers are in a room, by name."""

from __future__ import annotations

from collections.abc import Sequence

from core.graph.graph import Graph
from core.ids import RoomId, RoomNid, ServerName, TextNid
from core.storage.rooms import RoomName


class Residents:
    """The servers with joined users in rooms this server has a state of."""

    def __init__(self, graph: Graph, server_name: ServerName) -> None:
        self._graph = graph
        self._server_name = server_name

    def of(self, room: RoomNid) -> list[ServerName]:
        """The servers in the room, this one first if it is among them."""
        return self._named(self._graph.servers.now_in(room))

    def at(self, room: RoomNid, index: int) -> list[ServerName]:
        """The servers that were in the room at an index of its main line, in the same order."""
        return self._named(self._graph.servers.joined_at(room, index))

    def find_local(self, room_id: RoomId) -> RoomName | None:
        """The room, if its next event can be made here: we are in it, or all have left and its graph is here alone."""
        room = self._graph.rooms.find(room_id)
        if room is None or not len(self._graph.states.current(room.room_nid)):
            return None
        residents = self.of(room.room_nid)
        return room if not residents or residents[0] == self._server_name else None

    def _named(self, nids: Sequence[TextNid]) -> list[ServerName]:
        texts = self._graph.texts.texts(nids)
        names = [ServerName(texts[nid]) for nid in nids]
        return sorted(names, key=lambda name: (name != self._server_name, name))
