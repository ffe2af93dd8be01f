"""Invites of our users by other servers: checked, signed, and kept where we are not in the room.

Spec: Server-Server API, "Inviting to a room".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from core.accounts.invite_permission import InvitePermissions, InviteVerdict
from core.errors import Forbidden, InvalidParam, NotFound
from core.events.event import Event
from core.events.room_versions import RoomVersion
from core.events.signatures import SigningKey, add_signature
from core.federation.participation import Participation
from core.federation.received import ReceivedEvents
from core.federation.stripped import read_told_state
from core.graph.graph import Graph
from core.hooks.manager import PluginManager
from core.hooks.specs import permissions
from core.ids import EventId, RoomId, ServerName, UserId, server_of
from core.rooms.residents import Residents
from core.storage.users import UserStore


class InboundInvites:
    """Receives invites."""

    def __init__(
        self,
        graph: Graph,
        residents: Residents,
        participation: Participation,
        received: ReceivedEvents,
        users: UserStore,
        wishes: InvitePermissions,
        plugins: PluginManager,
        server_name: ServerName,
        signing_key: SigningKey,
    ) -> None:
        self._graph = graph
        self._residents = residents
        self._participation = participation
        self._received = received
        self._users = users
        self._wishes = wishes
        self._plugins = plugins
        self._server_name = server_name
        self._signing_key = signing_key

    def receive(
        self,
        origin: ServerName,
        room_id: RoomId,
        event_id: EventId,
        pdu: Mapping[str, Any],
        version: RoomVersion,
        told: Any,
    ) -> Mapping[str, Any]:
        """The invite with our signature. Raises InvalidParam, NotFound, Forbidden."""
        event = self._received.one(pdu, version, room_id, event_id)
        target = self._require_invite(event, origin)
        room = self._residents.find_local(room_id)
        if room is not None:
            self._participation.require_allowed(origin, room)
        stripped = read_told_state(told, version, room_id, self._received)
        user = self._users.find(target)
        if user is None:
            raise NotFound(f"There is no user {target} here.")
        if self._wishes.verdict(user.user_nid, event.sender) is InviteVerdict.BLOCK:
            raise Forbidden(f"{target} does not want to be invited by you.", errcode="M_INVITE_BLOCKED")
        self._plugins.require(
            permissions.user_may_invite,
            inviter=event.sender,
            invitee=target,
            room_id=room_id,
            room=None,
            event=event,
        )
        signed = add_signature(event.pdu, version, self._server_name, self._signing_key)
        if room is None:
            name = self._graph.rooms.intern(room_id, version)
            self._graph.members.set_out_of_band(name.room_nid, replace(event, pdu=signed), stripped)
        return signed

    def _require_invite(self, event: Event, origin: ServerName) -> UserId:
        if event.type != "m.room.member" or event.content.get("membership") != "invite":
            raise InvalidParam("The event must be an m.room.member event with the membership invite.")
        if server_of(event.sender) != origin:
            raise InvalidParam(f"The event's sender must be a user of {origin}.")
        if event.state_key is None or server_of(event.state_key) != self._server_name:
            raise InvalidParam(f"The event's state key must be a user of {self._server_name}.")
        return UserId(event.state_key)
