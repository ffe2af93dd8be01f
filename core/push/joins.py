"""Who came into a room, or went, by a state delta: coming in is reading all there was before.

Spec: Client-Server API, "Receiving notifications"; a member who only changed their name has not come in again.
"""

from __future__ import annotations

from core.graph.graph import Graph
from core.ids import EventNid, UserNid
from core.storage.memberships import membership_of

MANY_CHANGES = 300
"""A delta with more changes than this, such as that of a room just joined, is not read; the members as they are now are."""


class Joins:
    """Reads state deltas."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def of(self, delta_nid: int) -> list[tuple[UserNid, bool]]:
        """(user, whether they joined by it) of everybody who came in or went, users of other servers included.

        Somebody who went and came back within one delta counts as one who stayed.
        """
        delta = self._graph.deltas.by_nids((delta_nid,)).get(delta_nid)
        if delta is None:
            return []
        if delta.upto_index - delta.after_index > MANY_CHANGES:
            members = self._graph.memberships.members(delta.room_nid)
            return [(one.user_nid, True) for one in members if one.since_index > delta.after_index]
        changed = [
            (key[1], old, new) for key, old, new in self._graph.states.changes(delta) if key[0] == "m.room.member"
        ]
        if not changed:
            return []
        events = self._graph.events.by_nids({nid for _, old, new in changed for nid in (old, new) if nid})

        def joined(nid: EventNid | None) -> bool:
            return nid is not None and nid in events and membership_of(events[nid].content) == "join"

        users = self._graph.texts.known([user for user, _, _ in changed])
        return [(UserNid(users[user]), joined(new)) for user, old, new in changed if joined(old) is not joined(new)]
