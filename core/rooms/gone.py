"""Tells plugins of rooms that the last user of this server has left."""

from __future__ import annotations

from collections.abc import Collection

from core.graph.graph import Graph
from core.hooks.manager import PluginManager
from core.hooks.specs import observers
from core.ids import EventNid, Position, RoomNid, ServerName, server_of
from core.rooms.residents import Residents
from core.storage.consumers import Apply, only_the_cursor
from core.storage.log import Kind, Line
from core.storage.memberships import membership_of


class GoneRooms:
    """Follows changes of state, to call `room_gone`. Implements core.storage.consumers.Consumer."""

    name = "rooms.gone"
    kinds: Collection[Kind] = (Kind.STATE_DELTA,)

    def __init__(self, graph: Graph, plugins: PluginManager, server_name: ServerName) -> None:
        self._graph = graph
        self._plugins = plugins
        self._server_name = server_name
        self._residents = Residents(graph, server_name)

    def handle(self, lines: list[Line]) -> Apply | None:
        """Tell of the rooms in which a user of ours was, and none is now."""
        rooms = dict.fromkeys(RoomNid(line.subject) for line in lines)
        empty = {room for room in rooms if self._server_name not in self._residents.of(room)}
        deltas = self._graph.deltas.by_nids([line.reference for line in lines if line.subject in empty])
        told = None
        for room in dict.fromkeys(delta.room_nid for delta in deltas.values()):
            changes = [
                change for d in deltas.values() if d.room_nid == room for change in self._graph.states.changes(d)
            ]
            if any(key[0] == "m.room.member" and self._was_ours(key[1], old) for key, old, _ in changes):
                room_id = self._graph.rooms.name(room).room_id
                self._plugins.tell(observers.room_gone, room_id=room_id, is_purged=False)
                told = only_the_cursor
        return told

    def resynchronise(self, upto: Position) -> Apply | None:
        """Nothing: who left meanwhile is not told again."""
        return None

    def _was_ours(self, user_id: str, old: EventNid | None) -> bool:
        if old is None or server_of(user_id) != self._server_name:
            return False
        former = self._graph.events.by_nids((old,)).get(old)
        return former is not None and membership_of(former.content) == "join"
