"""Which rooms users and other servers may learn of: those they are in, may join, may ask to join, or may look into.

Spec: Client-Server API, `GET /rooms/{roomId}/hierarchy` and "Room summary"; Server-Server API, "Spaces".
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from core.graph.graph import Graph
from core.graph.states import RoomState
from core.ids import Requester, RoomId, RoomNid, ServerName, UserNid
from core.rooms.residents import Residents
from core.rooms.summary_fields import OPEN_RULES, SUMMARY_TYPES, summary_of
from core.storage.room_servers import OPEN
from core.storage.rooms import RoomName


@dataclass(frozen=True, slots=True)
class KnownRoom:
    """A room this server has the current state of, and its summary."""

    room: RoomName
    state: RoomState
    summary: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class UserEye:
    """A user who looks for rooms, and their memberships by the rooms' numbers; nobody in particular without one."""

    user_nid: UserNid | None
    memberships: Mapping[RoomNid, str]

    def membership_of(self, room: RoomName) -> str:
        """Their membership of a room; "leave" where they have none."""
        return self.memberships.get(room.room_nid, "leave")


@dataclass(frozen=True, slots=True)
class ServerEye:
    """A server that looks for rooms on behalf of its users."""

    rooms: frozenset[int]
    """The numbers of the rooms in which it has a joined user."""


class Discovery:
    """Finds rooms that are known here and says who may learn of them."""

    def __init__(self, graph: Graph, residents: Residents) -> None:
        self._graph = graph
        self._residents = residents

    def find(self, room_id: RoomId) -> KnownRoom | None:
        """The room, if its current state is known here."""
        room = self._residents.find_local(room_id)
        return None if room is None else self.known(room)

    def known(self, room: RoomName) -> KnownRoom:
        """A room with its current state."""
        state = self._graph.states.current(room.room_nid)
        events = state.events([(event_type, "") for event_type in SUMMARY_TYPES])
        contents = {event_type: stored.content for (event_type, _), stored in events.items()}
        joined, _ = self._graph.states.member_counts(room.room_nid)
        return KnownRoom(room, state, summary_of(room.room_id, contents, joined, room.version.id))

    def user_eye(self, requester: Requester | None) -> UserEye:
        """How a user sees rooms, or somebody who is not signed in."""
        if requester is None:
            return UserEye(None, {})
        graph, user = self._graph, requester.user_nid
        held = graph.memberships.rooms_of(user, ("join", "invite", "knock", "leave", "ban"), with_forgotten=True)
        found = {one.room_nid: one.membership for one in graph.out_of_band.of(user)}
        found.update((one.room_nid, one.membership) for one in held)
        return UserEye(user, found)

    def server_eye(self, server: ServerName) -> ServerEye:
        """How another server sees rooms."""
        nid = self._graph.texts.find(server)
        if nid is None:
            return ServerEye(frozenset())
        stays = self._graph.servers.rooms_of(nid)
        return ServerEye(frozenset(room for room, _, until in stays if until == OPEN))

    def user_may_learn_of(self, eye: UserEye, found: KnownRoom) -> bool:
        """Whether a user may see the summary of a room known here."""
        if eye.memberships.get(found.room.room_nid) in ("join", "invite"):
            return True
        return self.user_may_come_in(eye, found.summary)

    def user_may_come_in(self, eye: UserEye, summary: Mapping[str, Any]) -> bool:
        """Whether a user may join the room a summary speaks of, ask to join it or look into it."""
        if _is_open(summary):
            return True
        joined = [room for room, membership in eye.memberships.items() if membership == "join"]
        return summary.get("join_rule") == "restricted" and self._names_one_of(summary, joined)

    def server_may_learn_of(self, eye: ServerEye, found: KnownRoom) -> bool:
        """Whether a server may see the summary of a room known here."""
        if found.room.room_nid in eye.rooms or _is_open(found.summary):
            return True
        return found.summary.get("join_rule") == "restricted" and self._names_one_of(found.summary, eye.rooms)

    def invitation(self, requester: Requester, room_id: RoomId) -> dict[str, Any] | None:
        """The summary an invite or knock to a room elsewhere came with, None without one."""
        room = self._graph.rooms.find(room_id)
        for one in self._graph.out_of_band.of(requester.user_nid):
            if room is not None and one.room_nid == room.room_nid:
                return summary_of(room_id, _stripped(one.stripped_state), 0, None)
        return None

    def membership_elsewhere(self, requester: Requester, room_id: RoomId) -> str:
        """A user's membership of a room this server is not in; "leave" where they have none."""
        room = self._graph.rooms.find(room_id)
        return "leave" if room is None else self.user_eye(requester).membership_of(room)

    def _names_one_of(self, summary: Mapping[str, Any], rooms: Collection[int]) -> bool:
        allowed = (self._graph.rooms.find(RoomId(one)) for one in summary.get("allowed_room_ids", ()))
        return any(room is not None and room.room_nid in rooms for room in allowed)


def _is_open(summary: Mapping[str, Any]) -> bool:
    return summary.get("world_readable") is True or summary.get("join_rule") in OPEN_RULES


def _stripped(packed: bytes) -> dict[str, Mapping[str, Any]]:
    """The contents of stripped state as another server sent it."""
    found: dict[str, Mapping[str, Any]] = {}
    listed = orjson.loads(packed or b"[]")
    for event in listed if isinstance(listed, list) else ():
        if isinstance(event, dict) and isinstance(event.get("content"), dict) and event.get("state_key") == "":
            found[str(event.get("type"))] = event["content"]
    return found
