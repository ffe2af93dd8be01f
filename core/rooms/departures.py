"""Takes users whose accounts have ended out of their rooms: joins, invites and knocks.

A consumer of the log, so it happens even where the server was stopped right after the deactivation. A room that refuses
is passed over. Spec: Client-Server API, "Account deactivation".
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection

from core.errors import MatrixError
from core.graph.graph import Graph
from core.ids import Position, Requester, UserId, UserNid
from core.rooms.membership import Memberships
from core.storage.consumers import Apply
from core.storage.log import Kind, Line

logger = logging.getLogger(__name__)

EndedAccounts = Callable[[Collection[UserNid]], dict[UserNid, UserId]]
"""Those of some users whose accounts have ended."""


class Departures:
    """Follows USER_STATUS lines. Implements core.storage.consumers.Consumer."""

    name = "rooms.departures"
    kinds: Collection[Kind] = (Kind.USER_STATUS,)

    def __init__(self, graph: Graph, memberships: Memberships, ended: EndedAccounts) -> None:
        self._graph = graph
        self._memberships = memberships
        self._ended = ended

    def handle(self, lines: list[Line]) -> Apply | None:
        """Take those out who are gone."""
        ended = self._ended({UserNid(line.subject) for line in lines})
        for user_nid, user_id in ended.items():
            self._leave_all(Requester(user_id, user_nid, None, 0))
        return None

    def resynchronise(self, upto: Position) -> Apply | None:
        """Nothing to do: the newest line about each user is kept and never lies below the horizon."""
        return None

    def _leave_all(self, requester: Requester) -> None:
        member = self._graph.memberships.rooms_of(requester.user_nid, ("join", "invite", "knock"), with_forgotten=True)
        rooms = [one.room_nid for one in member]
        rooms += [one.room_nid for one in self._graph.out_of_band.of(requester.user_nid)]
        for room_nid in dict.fromkeys(rooms):
            room_id = self._graph.rooms.name(room_nid).room_id
            try:
                self._memberships.leave(requester, room_id)
            except MatrixError as refused:
                logger.info("%s could not leave %s: %s", requester.user_id, room_id, refused.sentence)
