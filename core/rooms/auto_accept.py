"""Accepts invites on behalf of users, where the administrator wants that: a consumer of the log.

Whoever is invited while the server is down is let in after its start. An invite that cannot be accepted is left as it
is, for the user to see.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass

from core.errors import MatrixError
from core.graph.graph import Graph
from core.graph.stored_event import StoredEvent
from core.ids import EventNid, Position, Requester, RoomId, ServerName, UserId, server_of
from core.rooms.membership import Memberships
from core.storage.consumers import Apply, only_the_cursor
from core.storage.log import Kind, Line

logger = logging.getLogger(__name__)

FindUser = Callable[[UserId], Requester | None]
"""The account of a user of this server who may act."""
NoteDirect = Callable[[Requester, UserId, RoomId], None]
"""Notes that a room is a direct chat with somebody."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which invites are accepted."""

    only_direct: bool
    only_from_here: bool


class AutoAccept:
    """Follows new events. Implements core.storage.consumers.Consumer."""

    name = "rooms.auto_accept"
    kinds: Collection[Kind] = (Kind.EVENT, Kind.OUT_OF_BAND)

    def __init__(
        self,
        graph: Graph,
        memberships: Memberships,
        find_user: FindUser,
        note_direct: NoteDirect,
        wanted: Wanted,
        server_name: ServerName,
    ) -> None:
        self._graph = graph
        self._memberships = memberships
        self._find_user = find_user
        self._note_direct = note_direct
        self._wanted = wanted
        self._server_name = server_name

    def handle(self, lines: list[Line]) -> Apply | None:
        """Accept what is wanted of the invites among some events."""
        events = self._graph.events.by_nids([EventNid(line.reference) for line in lines]).values()
        wanted = [stored for stored in events if self._is_wanted(stored)]
        for stored in wanted:
            self._accept(stored)
        return only_the_cursor if wanted else None

    def resynchronise(self, upto: Position) -> Apply | None:
        """Nothing to do: lines of events are kept as long as the events."""
        return None

    def _is_wanted(self, stored: StoredEvent) -> bool:
        if stored.type != "m.room.member" or stored.content.get("membership") != "invite":
            return False
        if self._wanted.only_direct and stored.content.get("is_direct") is not True:
            return False
        return not self._wanted.only_from_here or server_of(stored.sender) == self._server_name

    def _accept(self, stored: StoredEvent) -> None:
        invited = self._find_user(UserId(stored.state_key or ""))
        if invited is None:
            return
        room_id = self._graph.rooms.name(stored.room_nid).room_id
        try:
            self._memberships.join(invited, room_id, [server_of(stored.sender)])
            if stored.content.get("is_direct") is True:
                self._note_direct(invited, stored.sender, room_id)
        except MatrixError as refused:
            logger.info("The invite of %s into %s was not accepted: %s", invited.user_id, room_id, refused.sentence)
