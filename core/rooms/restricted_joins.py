"""Joins that are allowed by membership of another room, and who vouches for them.

Spec: room version 8, "Authorization rules"; Client-Server API, "Restricted rooms".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from core.events.power_levels import PowerLevels
from core.graph.graph import Graph
from core.graph.states import RoomState
from core.ids import RoomId, ServerName, UserId, UserNid, server_of
from core.storage.rooms import RoomName

RESTRICTED = ("restricted", "knock_restricted")


class RestrictedJoins:
    """Decides whether a user meets a restricted room's conditions, and finds a local member who may invite."""

    def __init__(self, graph: Graph, server_name: ServerName) -> None:
        self._graph = graph
        self._server_name = server_name

    def authorizing_user(self, room: RoomName, state: RoomState, user_nid: UserNid, user_id: UserId) -> UserId | None:
        """The local user whose power admits the join; None where none is needed, or none can be named.

        In the latter case the auth rules refuse the join, and say why.
        """
        conditions = conditions_for(room, state, user_id)
        if conditions is None or not self.is_met(conditions, user_nid):
            return None
        return self.who_may_invite(room, state)

    def is_met(self, rules: Mapping[str, Any], user_nid: UserNid) -> bool:
        """Whether the user is in one of the rooms that the join rules allow, as far as this server knows."""
        for room_id in allowed_rooms(rules):
            room = self._graph.rooms.find(room_id)
            if room is None:
                continue
            membership = self._graph.memberships.of(room.room_nid, user_nid)
            if membership is not None and membership.membership == "join":
                return True
        return False

    def who_may_invite(self, room: RoomName, state: RoomState) -> UserId | None:
        """A local member with the power to invite, the mightiest first; None where there is none."""
        return next((user for user in self._inviters(room, state) if server_of(user) == self._server_name), None)

    def who_vouches_elsewhere(self, room: RoomName, state: RoomState, user_id: UserId) -> list[ServerName]:
        """The servers that can admit a user where nobody of this one can; none where it can, or need not."""
        if conditions_for(room, state, user_id) is None:
            return []
        servers = list(dict.fromkeys(server_of(user) for user in self._inviters(room, state)))
        return [] if self._server_name in servers else servers

    def _inviters(self, room: RoomName, state: RoomState) -> list[UserId]:
        """The members with the power to invite, the mightiest first."""
        levels = PowerLevels.of(state.event)
        members = self._graph.memberships.members(room.room_nid)
        texts = self._graph.texts.texts({member.user_nid for member in members})
        able = [UserId(user) for user in texts.values() if levels.of_user(UserId(user)) >= levels.to("invite")]
        return sorted(able, key=lambda user: (levels.of_user(user), user), reverse=True)


def allowed_rooms(rules: Mapping[str, Any]) -> Iterator[RoomId]:
    """The rooms whose members may join; conditions of kinds that are not known are passed over."""
    allow = rules.get("allow")
    for condition in allow if isinstance(allow, list) else ():
        if isinstance(condition, dict) and condition.get("type") == "m.room_membership":
            room_id = condition.get("room_id")
            if isinstance(room_id, str):
                yield RoomId(room_id)


def conditions_for(room: RoomName, state: RoomState, user_id: UserId) -> Mapping[str, Any] | None:
    """The join rules that a user has to meet and somebody to vouch for; None where they may come in without."""
    rules = state.event("m.room.join_rules")
    if rules is None or rules.content.get("join_rule") not in RESTRICTED or not room.version.restricted_joins:
        return None
    member = state.event("m.room.member", user_id)
    is_awaited = member is not None and member.content.get("membership") in ("join", "invite")
    return None if is_awaited else rules.content
