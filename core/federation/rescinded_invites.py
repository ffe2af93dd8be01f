"""Invites to rooms that we are not in, and knocks on them, ended by other servers.

Nobody can check such an event against the room. So an invite may be taken back by the server that sent it, and a knock
be turned away by a server of those who, as we were told when we knocked, had a say in the room.
"""

from __future__ import annotations

from collections.abc import Sequence

from core.events.event import Event
from core.federation.stripped import servers_in
from core.graph.graph import Graph
from core.ids import ServerName, UserNid, server_of
from core.storage.memberships import OutOfBand
from core.storage.rooms import RoomName


class RescindedInvites:
    """Takes leave and ban events for our users who were invited, or have knocked, out of band."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def take(self, origin: ServerName, room: RoomName, events: Sequence[Event]) -> bool:
        """End the invites and knocks that `events` end; whether there was any such event."""
        taken = False
        for event in events:
            if event.type != "m.room.member" or event.content.get("membership") not in ("leave", "ban"):
                continue
            user_nid = self._graph.texts.find(event.state_key or "")
            own = None if user_nid is None else self._find(room, UserNid(user_nid))
            if own is not None and self._may_end(origin, own, event):
                self._graph.members.set_out_of_band(room.room_nid, event)
                taken = True
        return taken

    def _find(self, room: RoomName, user: UserNid) -> OutOfBand | None:
        return next((one for one in self._graph.out_of_band.of(user) if one.room_nid == room.room_nid), None)

    def _may_end(self, origin: ServerName, own: OutOfBand, event: Event) -> bool:
        """Whether the event comes from where it may, and after the invite or knock, on which it rests then.

        A ban that was lifted before the invite was sent may arrive after it.
        """
        if self._graph.events.by_nid(own.event_nid).event_id not in event.auth_event_ids:
            return False
        if own.membership == "knock":
            return origin in servers_in(own.stripped_state)
        return server_of(self._graph.events.by_nid(own.event_nid).sender) == origin
