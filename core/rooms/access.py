"""Who may look into a room, and which state they may see there.

A member sees the current state; one who left sees the state as it was when they last stopped being a member, also after
an invite that they turned down since; others see a room only where its history is world-readable.
Spec: Client-Server API, "Getting events for a room".
"""

from __future__ import annotations

from dataclasses import dataclass

from core.errors import Forbidden, NotFound
from core.events.visibility import HistoryVisibility, history_visibility
from core.graph.client_events import Viewer
from core.graph.graph import Graph
from core.graph.states import RoomState
from core.graph.stays import end_of_stay
from core.graph.stored_event import StoredEvent
from core.graph.viewing import Viewing
from core.ids import EventId, Requester, RoomId, RoomNid
from core.storage.memberships import Membership
from core.storage.rooms import RoomName

NOT_HERE = "You are not in room {}, or there is no such room."
"""One sentence for both, so that nobody learns which rooms exist."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What a requester may see of a room: its state as of `state`, and whether they are a member now."""

    room: RoomName
    membership: Membership | None
    state: RoomState
    state_until: int | None = None
    """The index of the main line after which a former member is shown no state; None for others."""

    @property
    def is_joined(self) -> bool:
        """Whether the requester is in the room."""
        return self.membership is not None and self.membership.membership == "join"

    @property
    def left_at(self) -> int | None:
        """The index of the main line at which a former member left, or turned an invite down; None for others."""
        if self.membership is None or self.membership.membership not in ("leave", "ban"):
            return None
        return self.membership.since_index


class RoomAccess:
    """Answers whether a requester may read a room."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def joined(self, requester: Requester, room_id: RoomId) -> RoomName:
        """The room, which the requester must be in. Raises Forbidden."""
        room = self.known(room_id)
        membership = self._graph.memberships.of(room.room_nid, requester.user_nid)
        if membership is None or membership.membership != "join":
            raise Forbidden(NOT_HERE.format(room_id))
        return room

    def known(self, room_id: RoomId) -> RoomName:
        """A room this server has a state of. Raises Forbidden, which does not tell that there is none."""
        room = self._graph.rooms.find(room_id)
        if room is None:
            raise Forbidden(NOT_HERE.format(room_id))
        return room

    def sight(self, requester: Requester, room_id: RoomId) -> Sight:
        """What the requester may see. Raises Forbidden where that is nothing."""
        room = self.known(room_id)
        membership = self._graph.memberships.of(room.room_nid, requester.user_nid)
        kind = "" if membership is None else membership.membership
        if kind == "join":
            return Sight(room, membership, self._graph.states.current(room.room_nid))
        if self.is_world_readable(room.room_nid):
            return Sight(room, None, self._graph.states.current(room.room_nid))
        if kind in ("leave", "ban") and membership is not None:
            until = end_of_stay(self._graph.states, room.room_nid, requester.user_nid)
            if until is not None:
                if self._graph.memberships.is_forgotten(room.room_nid, requester.user_nid):
                    raise Forbidden(f"You have forgotten room {room_id}.")
                return Sight(room, membership, self._graph.states.at(until), until.index)
        raise Forbidden(NOT_HERE.format(room_id))

    def find_sight(self, requester: Requester, room_id: RoomId) -> Sight | None:
        """As `sight`, but None where the requester may see nothing."""
        try:
            return self.sight(requester, room_id)
        except Forbidden:
            return None

    def is_world_readable(self, room: RoomNid) -> bool:
        """Whether anybody may read the room's history as it is now."""
        current = self._graph.states.current(room).event("m.room.history_visibility")
        return history_visibility(current) is HistoryVisibility.WORLD_READABLE


def event_in_sight(
    graph: Graph, viewing: Viewing, requester: Requester, room: RoomName, event_id: EventId
) -> StoredEvent:
    """An event of the room that the requester may see. Raises NotFound."""
    stored = graph.events.by_id(event_id)
    if (
        stored is None
        or stored.room_nid != room.room_nid
        or not stored.is_visible
        or not viewing.may_see(stored, requester.user_nid, requester.user_id)
    ):
        raise NotFound(f"There is no event {event_id} in this room that you can see.")
    return stored


def viewer_of(requester: Requester) -> Viewer:
    """The requester as somebody who is shown events."""
    return Viewer(requester.user_nid, requester.user_id, scope_of(requester))


def scope_of(requester: Requester) -> str:
    """What a requester's transaction ids are kept apart by: the device, or the token where there is none."""
    return requester.device_id or f"token:{requester.token_nid}"
