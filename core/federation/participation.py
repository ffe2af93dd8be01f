"""Which rooms other servers may speak of with us: those we are in, whose access list lets them take part."""

from __future__ import annotations

from collections import OrderedDict

from core.errors import Forbidden, NotFound
from core.events.server_acl import ServerAcl
from core.graph.graph import Graph
from core.ids import EventNid, RoomId, ServerName
from core.rooms.residents import Residents
from core.storage.rooms import RoomName

CACHED_LISTS = 1_000
"""How many compiled access lists are kept; at most about 20 MB."""


class Participation:
    """Answers who may take part where. All methods are cheap enough for every request."""

    def __init__(self, graph: Graph, residents: Residents, server_name: ServerName) -> None:
        self._graph = graph
        self._residents = residents
        self._server_name = server_name
        self._lists: OrderedDict[EventNid, ServerAcl] = OrderedDict()

    def room(self, origin: ServerName, room_id: RoomId) -> RoomName:
        """The room, if this server is in it and its access list allows `origin`. Raises NotFound, Forbidden."""
        room = self._residents.find_local(room_id)
        if room is None:
            raise NotFound(f"This server is not in room {room_id}.")
        self.require_allowed(origin, room)
        return room

    def is_here(self, room_id: RoomId) -> bool:
        """Whether this server is in the room."""
        return self._residents.find_local(room_id) is not None

    def shared_room(self, origin: ServerName, room_id: RoomId) -> RoomName:
        """As `room`, where `origin` has a joined user itself. Raises Forbidden where it has none."""
        room = self.room(origin, room_id)
        if not self.is_in(origin, room):
            raise Forbidden(f"{origin} is not in room {room_id}.")
        return room

    def is_in(self, server: ServerName, room: RoomName) -> bool:
        """Whether the server has a joined user in the room."""
        nid = self._graph.texts.find(server)
        return nid is not None and nid in self._graph.servers.now_in(room.room_nid)

    def require_allowed(self, origin: ServerName, room: RoomName) -> None:
        """Raise Forbidden where the room's access list keeps the server out."""
        if not self.is_allowed(origin, room):
            raise Forbidden(f"The access list of room {room.room_id} keeps {origin} out.")

    def is_allowed(self, server: ServerName, room: RoomName) -> bool:
        """Whether the room's `m.room.server_acl` lets the server take part."""
        state = self._graph.states.current(room.room_nid)
        nid = state.nid("m.room.server_acl")
        if nid is None:
            return True
        found = self._lists.get(nid)
        if found is None:
            found = self._lists[nid] = ServerAcl(self._graph.events.by_nid(nid).content)
            if len(self._lists) > CACHED_LISTS:
                self._lists.popitem(last=False)
        return found.allows(server)

    def servers_at(self, room: RoomName, index: int) -> list[ServerName]:
        """The servers that were in the room at an index of its main line, this one first."""
        return self._residents.at(room.room_nid, index)

    def servers(self, room: RoomName) -> list[ServerName]:
        """The servers in the room, this one first."""
        return self._residents.of(room.room_nid)
