"""Guests in rooms: they may join only where the room says so, and leave when it no longer does.

Only the guests of this server are its concern; other servers keep their own. Spec: Client-Server API, "Guest Access".
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection

from core.errors import Forbidden, MatrixError
from core.graph.drafts import Draft
from core.graph.graph import Graph
from core.graph.states import RoomState
from core.ids import Position, Requester, RoomNid, UserId, UserNid
from core.storage.consumers import Apply
from core.storage.log import Kind, Line

logger = logging.getLogger(__name__)

GuestsAmong = Callable[[Collection[UserNid]], Collection[UserNid]]
_KEY = ("m.room.guest_access", "")


def lets_guests_in(state: RoomState) -> bool:
    """Whether guests may join a room in this state."""
    event = state.get(*_KEY)
    return event is not None and event.content.get("guest_access") == "can_join"


def require_open_to(requester: Requester, state: RoomState | None) -> None:
    """Raise Forbidden where a guest wants to join a room that is closed to guests, or that is not here (None)."""
    if requester.is_guest and (state is None or not lets_guests_in(state)):
        raise Forbidden("This room is not open to guests.", errcode="M_GUEST_ACCESS_FORBIDDEN")


class GuestDepartures:
    """Lets guests leave a room that has closed itself to them. Implements core.storage.consumers.Consumer."""

    name = "rooms.guest_departures"
    kinds: Collection[Kind] = (Kind.STATE_DELTA,)

    def __init__(self, graph: Graph, guests_among: GuestsAmong) -> None:
        self._graph = graph
        self._guests_among = guests_among

    def handle(self, lines: list[Line]) -> Apply | None:
        """Look at the rooms in which the state event about guests has changed."""
        deltas = self._graph.deltas.by_nids([line.reference for line in lines]).values()
        rooms = [delta.room_nid for delta in deltas if self._graph.states.has_changed(delta, *_KEY)]
        for room in dict.fromkeys(rooms):
            if not lets_guests_in(self._graph.states.current(room)):
                self._end_visits(room)
        return None

    def resynchronise(self, upto: Position) -> Apply | None:
        """Nothing to do: who was let in meanwhile stays, until the room closes itself again."""
        return None

    def _end_visits(self, room: RoomNid) -> None:
        members = [member.user_nid for member in self._graph.memberships.members(room)]
        for guest in self._guests_among(members):
            user = UserId(self._graph.texts.text(guest))
            try:
                self._graph.write.send(room, [Draft("m.room.member", user, {"membership": "leave"}, user)])
            except MatrixError as refused:
                logger.info("The guest %s could not leave room %d: %s", user, room, refused.sentence)
