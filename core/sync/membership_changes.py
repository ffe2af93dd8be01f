"""Which users' memberships a state delta changed: the notifier asks, to know who watches which room."""

from __future__ import annotations

from collections.abc import Callable, Collection

from core.graph.graph import Graph
from core.ids import EventNid, RoomNid, UserNid
from core.storage.database import Database
from core.storage.memberships import MEMBERSHIPS, membership_of
from core.storage.state_deltas import DeltaRange
from core.storage.state_lines import StateLineStore

MANY_CHANGES = 300
"""A delta with more changes than this is not read; the room's memberships as they are now are."""

MembershipChange = tuple[RoomNid, UserNid, str]
"""(room, user, membership now)."""


class MembershipChanges:
    """Reads memberships out of state deltas."""

    def __init__(self, database: Database, graph: Graph) -> None:
        self._database = database
        self._graph = graph
        self._lines = StateLineStore(database)

    def of(self, delta_nids: Collection[int], concerns: Callable[[int], bool]) -> list[MembershipChange]:
        """The changes in some deltas, in order, of the users whom `concerns` accepts.

        Cost: two queries for a delta that changes few keys; the room's members for one that changes many.
        """
        member_type = self._graph.texts.find("m.room.member")
        deltas = self._graph.deltas.by_nids(delta_nids)
        found: list[MembershipChange] = []
        for nid in delta_nids:
            delta = deltas.get(nid)
            if delta is None or member_type is None:
                continue
            if delta.upto_index - delta.after_index > MANY_CHANGES:
                found += self._now(delta, concerns)
            else:
                found += self._changed(delta, member_type, concerns)
        return found

    def _changed(self, delta: DeltaRange, member_type: int, concerns: Callable[[int], bool]) -> list[MembershipChange]:
        rows = self._lines.changes(self._database, delta.line_nid, delta.after_index, delta.upto_index)
        wanted = [(user, new) for kind, user, _, new in rows if kind == member_type and concerns(user)]
        if not wanted:
            return []
        events = self._graph.events.by_nids({EventNid(new) for _, new in wanted if new})
        return [
            (delta.room_nid, user, membership_of(events[EventNid(new)].content) if new in events else "")
            for user, new in wanted
        ]

    def _now(self, delta: DeltaRange, concerns: Callable[[int], bool]) -> list[MembershipChange]:
        members = self._graph.memberships.members(delta.room_nid, MEMBERSHIPS[1:])
        return [(delta.room_nid, one.user_nid, one.membership) for one in members if concerns(one.user_nid)]
