"""Joining, leaving, inviting, kicking, banning, knocking and forgetting.

Each is one member event. The auth rules decide whether it may be; here it is decided what goes into it, whether another
server must be asked, and what plugins say. Spec: Client-Server API, "Room membership".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core.accounts.invite_permission import InvitePermissions, InviteVerdict
from core.errors import BadJson, BadRequest, Forbidden
from core.graph.drafts import Draft
from core.graph.graph import Graph
from core.graph.states import RoomState
from core.graph.stored_event import StoredEvent
from core.hooks.manager import PluginManager
from core.hooks.specs import observers, permissions
from core.ids import EventId, Requester, RoomId, ServerName, UserId, is_user_id, server_of
from core.rooms.access import NOT_HERE, RoomAccess
from core.rooms.complexity import JoinLimit
from core.rooms.guest_access import require_open_to
from core.rooms.personal_settings import PersonalSettings
from core.rooms.profiles import Profiles
from core.rooms.remote_rooms import RemoteRooms
from core.rooms.residents import Residents
from core.rooms.restricted_joins import RestrictedJoins
from core.rooms.room_view import GraphRoomView
from core.storage.memberships import MEMBERSHIPS
from core.storage.rooms import RoomName


class Memberships:
    """Changes of memberships asked for by local users. All methods raise MatrixError."""

    def __init__(
        self,
        graph: Graph,
        access: RoomAccess,
        profiles: Profiles,
        restricted: RestrictedJoins,
        remote: RemoteRooms,
        plugins: PluginManager,
        server_name: ServerName,
        residents: Residents,
        invite_permissions: InvitePermissions,
        personal: PersonalSettings,
        limit: JoinLimit | None = None,
    ) -> None:
        """`limit` keeps users out of rooms of other servers that are too complex."""
        self._limit = limit
        self._graph = graph
        self._residents = residents
        self._invite_permissions = invite_permissions
        self._personal = personal
        self._access = access
        self._profiles = profiles
        self._restricted = restricted
        self._remote = remote
        self._plugins = plugins
        self._server_name = server_name
        self.notice_speaker: UserId | None = None
        """Who speaks for the server, and whose invites cannot be turned down."""

    def is_here(self, room_id: RoomId) -> bool:
        """Whether somebody of this server is in the room, so that nobody else need be asked to enter it."""
        return self._residents.find_local(room_id) is not None

    def join(
        self,
        requester: Requester,
        room_id: RoomId,
        via: Sequence[ServerName] = (),
        extra: Mapping[str, Any] | None = None,
    ) -> RoomId:
        """Join a room, through another server where nobody here is in it, or may vouch for a restricted join."""
        user = requester.user_id
        content = {**self._profiles.member_fields(user), **(extra or {}), "membership": "join"}
        room = self._residents.find_local(room_id)
        current = None if room is None else self._member(room, user)
        if current is not None and _membership(current) == "join":
            return room_id
        require_open_to(requester, None if room is None else self._graph.states.current(room.room_nid))
        self._plugins.require(
            permissions.user_may_join,
            user_id=user,
            room_id=room_id,
            room=None if room is None else GraphRoomView(self._graph, room),
            is_invited=current is not None and _membership(current) == "invite",
        )
        if room is None:
            self._join_elsewhere(requester, room_id, via, content)
            return room_id
        state = self._graph.states.current(room.room_nid)
        if vouching := self._restricted.who_vouches_elsewhere(room, state, user):
            self._remote.join(user, room_id, [*vouching, *via], content)
            self._plugins.tell(observers.user_joined, user_id=user, room_id=room_id)
            self.carry_settings(requester, room)
            return room_id
        authorizer = self._restricted.authorizing_user(room, state, requester.user_nid, user)
        if authorizer is not None:
            content["join_authorised_via_users_server"] = authorizer
        self._send(room, requester.user_id, user, content)
        self._plugins.tell(observers.user_joined, user_id=user, room_id=room_id)
        self.carry_settings(requester, room)
        return room_id

    def _join_elsewhere(
        self, requester: Requester, room_id: RoomId, via: Sequence[ServerName], content: Mapping[str, Any]
    ) -> None:
        if self._limit is not None:
            self._limit.check_before(requester, room_id, via)
        self._remote.join(requester.user_id, room_id, via, content)
        entered = self._residents.find_local(room_id)
        if entered is not None and self._limit is not None and self._limit.is_exceeded(requester, entered):
            self.leave(requester, room_id)
            raise self._limit.refusal()
        self._plugins.tell(observers.user_joined, user_id=requester.user_id, room_id=room_id)
        if entered is not None:
            self.carry_settings(requester, entered)

    def carry_settings(self, requester: Requester, room: RoomName) -> None:
        """Take over what the requester, who is in the room now, had set for the room it replaces."""
        self._personal.carry_into(requester.user_nid, room)

    def leave(self, requester: Requester, room_id: RoomId, reason: str | None = None) -> None:
        """Leave a room, reject an invite, or take back a knock; leaving where one is not any more does nothing."""
        content = _with_reason({"membership": "leave"}, reason)
        room = self._residents.find_local(room_id)
        if room is None:
            if self._out_of_band(requester, room_id):
                self._remote.leave(requester.user_id, room_id, content)
                return
            raise Forbidden(NOT_HERE.format(room_id))
        current = self._member(room, requester.user_id)
        if current is not None and _membership(current) == "leave":
            return
        if current is not None and _membership(current) == "invite" and current.sender == self.notice_speaker:
            raise Forbidden(
                "The server's own messages cannot be turned down.", errcode="M_CANNOT_LEAVE_SERVER_NOTICE_ROOM"
            )
        self._send(room, requester.user_id, requester.user_id, content)

    def invite(self, requester: Requester, room_id: RoomId, target: UserId, reason: str | None = None) -> None:
        """Invite a user, of this server or another."""
        self.send_invite(requester, self._access.joined(requester, room_id), target, _with_reason({}, reason))

    def send_invite(self, requester: Requester, room: RoomName, target: UserId, extra: Mapping[str, Any]) -> None:
        """Invite with further fields in the content, such as `is_direct`."""
        _require_user_id(target)
        content = {**self._profiles.invite_fields(target), **extra, "membership": "invite"}
        self._plugins.require(
            permissions.user_may_invite,
            inviter=requester.user_id,
            invitee=target,
            room_id=room.room_id,
            room=GraphRoomView(self._graph, room),
            event=None,
        )
        if server_of(target) != self._server_name:
            self._remote.invite(room.room_id, requester.user_id, target, content)
            return
        self._require_wanted(target, requester.user_id)
        self._send(room, requester.user_id, target, content)

    def kick(self, requester: Requester, room_id: RoomId, target: UserId, reason: str | None = None) -> None:
        """Make somebody leave, or take their invite or knock back. Who is not in the room cannot be kicked."""
        _require_user_id(target)
        room = self._access.joined(requester, room_id)
        current = self._member(room, target)
        if current is None or _membership(current) not in ("join", "invite", "knock"):
            raise Forbidden(f"{target} is not in the room.")
        self._send(room, requester.user_id, target, _with_reason({"membership": "leave"}, reason))

    def ban(self, requester: Requester, room_id: RoomId, target: UserId, reason: str | None = None) -> None:
        """Ban a user, whether they are in the room or not."""
        _require_user_id(target)
        room = self._access.joined(requester, room_id)
        self._send(room, requester.user_id, target, _with_reason({"membership": "ban"}, reason))

    def unban(self, requester: Requester, room_id: RoomId, target: UserId, reason: str | None = None) -> None:
        """Lift a ban. Raises Forbidden, as `M_BAD_STATE`, where there is none."""
        _require_user_id(target)
        room = self._access.joined(requester, room_id)
        current = self._member(room, target)
        if current is None or _membership(current) != "ban":
            raise Forbidden(f"{target} is not banned from the room.", errcode="M_BAD_STATE")
        self._send(room, requester.user_id, target, _with_reason({"membership": "leave"}, reason))

    def knock(
        self, requester: Requester, room_id: RoomId, via: Sequence[ServerName], reason: str | None = None
    ) -> RoomId:
        """Ask to be let in."""
        fields = self._profiles.member_fields(requester.user_id)
        content = _with_reason({**fields, "membership": "knock"}, reason)
        room = self._residents.find_local(room_id)
        if room is None:
            self._remote.knock(requester.user_id, room_id, via, content)
        else:
            self._send(room, requester.user_id, requester.user_id, content)
        return room_id

    def forget(self, requester: Requester, room_id: RoomId) -> None:
        """Stop remembering a room one has left; where there is nothing to remember, this is done already.

        Raises BadRequest for a room one is still in.
        """
        room = self._graph.rooms.find(room_id)
        if room is not None:
            self._graph.members.forget(room.room_nid, requester.user_nid)

    def set_by_state(
        self, requester: Requester, room_id: RoomId, target: UserId, content: Mapping[str, Any]
    ) -> EventId:
        """Send a member event as a client wrote it (PUT …/state/m.room.member), as the operation that it amounts to."""
        wanted = content.get("membership")
        if wanted not in MEMBERSHIPS[1:]:
            raise BadJson(f"'membership' must be one of {', '.join(MEMBERSHIPS[1:])}.")
        if wanted == "join" and target == requester.user_id:
            content = self._profiles.in_room(target, content)
        room = self._access.known(room_id)
        current = self._member(room, target)
        if current is not None and current.sender == requester.user_id and current.content == content:
            return current.event_id
        extra = {key: value for key, value in content.items() if key != "membership"}
        if wanted == "invite":
            self.send_invite(requester, self._access.joined(requester, room_id), target, extra)
        elif wanted == "join" and target == requester.user_id and (current is None or _membership(current) != "join"):
            self.join(requester, room_id, extra=extra)
        else:
            return self._send(room, requester.user_id, target, content).event_id
        found = self._member(room, target)
        assert found is not None, "the member event was just sent"
        return found.event_id

    def _require_wanted(self, target: UserId, inviter: UserId) -> None:
        """Raise Forbidden where a user of this server wants no invite by `inviter`. Spec: "Invite permission"."""
        nid = self._graph.texts.find(target)
        if nid is not None and self._invite_permissions.verdict(nid, inviter) is InviteVerdict.BLOCK:
            raise Forbidden(f"{target} does not want to be invited by you.", errcode="M_INVITE_BLOCKED")

    def _send(self, room: RoomName, sender: UserId, target: UserId, content: Mapping[str, Any]) -> StoredEvent:
        return self._graph.write.send(room.room_nid, [Draft("m.room.member", sender, content, target)])[0]

    def _member(self, room: RoomName, user: UserId) -> StoredEvent | None:
        return self._graph.states.current(room.room_nid).get("m.room.member", user)

    def _out_of_band(self, requester: Requester, room_id: RoomId) -> bool:
        room = self._graph.rooms.find(room_id)
        mine = self._graph.out_of_band.of(requester.user_nid)
        return room is not None and any(one.room_nid == room.room_nid for one in mine)


def member_drafts(state: RoomState, user: UserId, fields: Mapping[str, Any]) -> Sequence[Draft]:
    """The draft that brings a joined user's member event up to their profile; none where nothing would change."""
    current = state.get("m.room.member", user)
    if current is None or _membership(current) != "join":
        return []
    kept = {k: v for k, v in current.content.items() if k not in ("displayname", "avatar_url", "reason")}
    content = {**kept, **fields}
    return [] if content == current.content else [Draft("m.room.member", user, content, user)]


def _membership(stored: StoredEvent) -> object:
    return stored.content.get("membership")


def _with_reason(content: dict[str, Any], reason: str | None) -> dict[str, Any]:
    return content if reason is None else {**content, "reason": reason}


def _require_user_id(target: str) -> None:
    if not is_user_id(target):
        raise BadRequest(f"{target!r} is no user id; they look like @name:example.org.", errcode="M_INVALID_PARAM")
