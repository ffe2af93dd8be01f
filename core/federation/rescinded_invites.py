"""Invites to rooms that we are not in, taken back by the server that sent them.

Nobody can check such an event against the room, so only the server that invited may take its invite back.
"""

from __future__ import annotations

from collections.abc import Sequence

from core.events.event import Event
from core.graph.graph import Graph
from core.ids import ServerName, UserNid, server_of
from core.storage.rooms import RoomName


class RescindedInvites:
    """Takes leave and ban events for our users who were invited out of band."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def take(self, origin: ServerName, room: RoomName, events: Sequence[Event]) -> bool:
        """End the invites that `events` end; whether there was any such event."""
        taken = False
        for event in events:
            if event.type != "m.room.member" or event.content.get("membership") not in ("leave", "ban"):
                continue
            user_nid = self._graph.texts.find(event.state_key or "")
            if user_nid is not None and self._was_invited_by(origin, room, UserNid(user_nid)):
                self._graph.members.set_out_of_band(room.room_nid, event)
                taken = True
        return taken

    def _was_invited_by(self, origin: ServerName, room: RoomName, user: UserNid) -> bool:
        for one in self._graph.out_of_band.of(user):
            if one.room_nid == room.room_nid:
                return server_of(self._graph.events.by_nid(one.event_nid).sender) == origin
        return False
