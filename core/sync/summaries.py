"""Room summaries: how many are in a room, and after whom to name one that has no name.

Spec: Client-Server API, `GET /sync`, RoomSummary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from core.graph.graph import Graph
from core.ids import RoomNid, UserNid
from core.storage.database import Database

HEROES = 5

_HEROES_SQL = (
    "SELECT user_nid FROM memberships WHERE room_nid = ? AND membership IN ({}) AND user_nid <> ? "
    "ORDER BY since_index LIMIT ?"
)
_PRESENT = _HEROES_SQL.format("1, 2")  # joined, invited; see MEMBERSHIPS of core.storage.memberships
_GONE = _HEROES_SQL.format("3, 4")  # left, banned


@dataclass(frozen=True, slots=True)
class Summary:
    """A summary as JSON, and who its heroes are."""

    json: bytes
    heroes: Sequence[UserNid]


class Summaries:
    """Makes summaries of rooms as they are now."""

    def __init__(self, database: Database, graph: Graph) -> None:
        self._database = database
        self._graph = graph

    def of(self, room: RoomNid, user: UserNid) -> Summary:
        """The summary for one member. Cost: a query, which looks at every member, where there is no name."""
        joined, invited = self._graph.states.member_counts(room)
        fields: dict[str, object] = {"m.joined_member_count": joined, "m.invited_member_count": invited}
        heroes: list[UserNid] = []
        if not self._has_name(room):
            heroes = self._heroes(_PRESENT, room, user) or self._heroes(_GONE, room, user)
            texts = self._graph.texts.texts(heroes)
            fields["m.heroes"] = [texts[hero] for hero in heroes]
        return Summary(orjson.dumps(fields), heroes)

    def _has_name(self, room: RoomNid) -> bool:
        state = self._graph.states.current(room)
        name, alias = state.get("m.room.name"), state.get("m.room.canonical_alias")
        return (name is not None and bool(name.content.get("name"))) or (
            alias is not None and bool(alias.content.get("alias"))
        )

    def _heroes(self, sql: str, room: RoomNid, user: UserNid) -> list[UserNid]:
        return [UserNid(row[0]) for row in self._database.rows(sql, (room, user, HEROES))]
