"""Carries a changed profile into the member events of the rooms its user is in.

A consumer of the log, so that a change of the profile is answered at once and reaches every room whatever happens
meanwhile. A room that refuses the event (the user was just banned) is passed over.
Spec: Client-Server API, "Events on Change of Profile Information".
"""

from __future__ import annotations

import logging
from collections.abc import Collection

from core.errors import MatrixError
from core.graph.graph import Graph
from core.ids import Position, UserId, UserNid
from core.rooms.membership import member_drafts
from core.rooms.profiles import Profiles
from core.storage.consumers import Apply, only_the_cursor
from core.storage.log import Kind, Line

logger = logging.getLogger(__name__)


class ProfileUpdates:
    """Follows PROFILE lines. Implements core.storage.consumers.Consumer."""

    name = "rooms.profile_updates"
    kinds: Collection[Kind] = (Kind.PROFILE,)

    def __init__(self, graph: Graph, profiles: Profiles) -> None:
        self._graph = graph
        self._profiles = profiles

    def handle(self, lines: list[Line]) -> Apply | None:
        """Bring the member events of each user up to their profile."""
        changed = [self._update(UserNid(user_nid)) for user_nid in dict.fromkeys(line.subject for line in lines)]
        return only_the_cursor if any(changed) else None

    def resynchronise(self, upto: Position) -> Apply | None:
        """Nothing to do: lines of profiles are kept, one a user, and never lie below the horizon."""
        return None

    def _update(self, user_nid: UserNid) -> bool:
        """Whether there were rooms to look at."""
        user = UserId(self._graph.texts.text(user_nid))
        fields = self._profiles.member_fields(user)
        memberships = self._graph.memberships.rooms_of(user_nid)
        for membership in memberships:
            room = membership.room_nid
            try:
                drafts = member_drafts(self._graph.states.current(room), user, fields)
                if drafts:
                    self._graph.write.send(room, drafts)
            except MatrixError as refused:
                logger.info("The profile of %s was not carried into room %d: %s", user, room, refused.sentence)
        return bool(memberships)
