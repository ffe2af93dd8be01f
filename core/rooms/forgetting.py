"""Forgets rooms for users as soon as they have left them, where the administrator has set `forget_rooms_on_leave`.

A consumer of state deltas, so that it makes no difference how somebody left: by themselves, kicked, banned, or on another
server's word.
"""

from __future__ import annotations

from collections.abc import Collection

from core.errors import MatrixError
from core.graph.graph import Graph
from core.ids import Position, ServerName, server_of
from core.storage.consumers import Apply, only_the_cursor
from core.storage.log import Kind, Line
from core.storage.state_deltas import DeltaRange

_GONE = ("leave", "ban")


class ForgetOnLeave:
    """Follows STATE_DELTA lines. Implements core.storage.consumers.Consumer."""

    name = "rooms.forget_on_leave"
    kinds: Collection[Kind] = (Kind.STATE_DELTA,)

    def __init__(self, graph: Graph, server_name: ServerName) -> None:
        self._graph = graph
        self._server_name = server_name

    def handle(self, lines: list[Line]) -> Apply | None:
        """Forget each room for each local user who left it in these changes."""
        deltas = self._graph.deltas.by_nids([line.reference for line in lines]).values()
        forgotten = [self._forget(delta) for delta in deltas]
        return only_the_cursor if any(forgotten) else None

    def resynchronise(self, upto: Position) -> Apply | None:
        """Nothing to do: rooms left in the lines that were dropped stay remembered, as they do without this setting."""
        return None

    def _forget(self, delta: DeltaRange) -> bool:
        """Whether the room was forgotten for anybody."""
        has_forgotten = False
        for (kind, user), _, new in self._graph.states.changes(delta):
            if kind != "m.room.member" or server_of(user) != self._server_name or new is None:
                continue
            stored = self._graph.events.by_nids((new,)).get(new)
            nid = self._graph.texts.find(user)
            if stored is None or nid is None or stored.content.get("membership") not in _GONE:
                continue
            try:
                self._graph.members.forget(delta.room_nid, nid)
                has_forgotten = True
            except MatrixError:
                continue  # they are back in already
        return has_forgotten
