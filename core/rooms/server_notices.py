"""The server's own messages to its users: one room for each, in which only the server speaks.

The room is made when there is something to say, and its user invited; it is found again by who created it. Whoever has
left it is invited again for the next notice. Spec: Client-Server API, "Server Notices".
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from core.accounts.registration import NewAccount, Registration
from core.errors import BadRequest, NotFound
from core.events.room_versions import RoomVersion
from core.graph.graph import Graph
from core.ids import EventId, Requester, RoomId, ServerName, UserId, UserNid
from core.rooms.creation import RoomCreation
from core.rooms.creation_plan import NewRoom
from core.rooms.membership import Memberships
from core.rooms.sending import Sending
from core.storage.account_data import AccountDataStore
from core.storage.profiles import ProfileStore
from core.storage.rooms import RoomName
from core.storage.users import User, UserStore
from core.storage.writer import Transaction, Writer

TAG: dict[str, dict[str, dict[str, str]]] = {"tags": {"m.server_notice": {}}}


@dataclass(frozen=True, slots=True)
class NoticeSettings:
    """Who speaks, and how it looks. Settings `server_notices`."""

    localpart: str
    display_name: str | None
    avatar_url: str | None
    room_name: str
    room_topic: str | None
    version: RoomVersion


def notice_settings(configured: Mapping[str, Any] | None, version: RoomVersion) -> NoticeSettings | None:
    """The settings, None where notices are not configured."""
    localpart = (configured or {}).get("system_mxid_localpart")
    if configured is None or not isinstance(localpart, str) or not localpart:
        return None
    return NoticeSettings(
        localpart,
        configured.get("system_mxid_display_name"),
        configured.get("system_mxid_avatar_url"),
        str(configured.get("room_name", "Server Notices")),
        configured.get("room_topic"),
        version,
    )


class ServerNotices:
    """Sends notices. Implements core.accounts.consent.NoticeRooms."""

    def __init__(
        self,
        settings: NoticeSettings | None,
        server_name: ServerName,
        graph: Graph,
        creation: RoomCreation,
        memberships: Memberships,
        sending: Sending,
        registration: Registration,
        users: UserStore,
        profiles: ProfileStore,
        account_data: AccountDataStore,
        writer: Writer,
    ) -> None:
        self._settings = settings
        self._server_name = server_name
        self._graph = graph
        self._creation = creation
        self._memberships = memberships
        self._sending = sending
        self._registration = registration
        self._users = users
        self._profiles = profiles
        self._account_data = account_data
        self._writer = writer

    @property
    def speaker_id(self) -> UserId | None:
        """Who speaks, None where notices are not configured."""
        return None if self._settings is None else self._speaker_id()

    def is_for(self, requester: Requester, room_id: RoomId) -> bool:
        """Whether this is the room in which the server speaks to the requester."""
        room = self._graph.rooms.find(room_id)
        return room is not None and self._is_notice_room(room)

    def send(
        self,
        user: User,
        content: Mapping[str, Any],
        event_type: str = "m.room.message",
        state_key: str | None = None,
        txn_id: str | None = None,
    ) -> EventId:
        """Tell a user something; the id of the event. Raises: `BadRequest` where notices are not configured."""
        speaker = self._speaker()
        room_id = self._room(speaker, user)
        if state_key is not None:
            return self._sending.set_state(speaker, room_id, event_type, state_key, content)
        return self._sending.send(speaker, room_id, event_type, content, txn_id or secrets.token_urlsafe(12))

    def _room(self, speaker: Requester, user: User) -> RoomId:
        for membership in self._graph.memberships.rooms_of(
            user.user_nid, ("join", "invite", "leave"), with_forgotten=True
        ):
            room = self._graph.rooms.name(membership.room_nid)
            if self._is_notice_room(room):
                if membership.membership == "leave":
                    self._memberships.invite(speaker, room.room_id, user.user_id)
                return room.room_id
        settings = self._configured()
        room_id = self._creation.create(
            speaker,
            NewRoom(
                settings.version,
                "private_chat",
                name=settings.room_name,
                topic=settings.room_topic,
                invite=(user.user_id,),
                power_level_override={"users_default": -10},
            ),
            {},
        )
        self._tag(user.user_nid, room_id)
        return room_id

    def _tag(self, user_nid: UserNid, room_id: RoomId) -> None:
        """Let clients know the room for what it is."""
        encoded = orjson.dumps(TAG)

        def tag(transaction: Transaction) -> None:
            self._account_data.set(transaction, user_nid, "m.tag", encoded, room_id)

        self._writer.submit(tag, user_nid)

    def _is_notice_room(self, room: RoomName) -> bool:
        if self._settings is None:
            return False
        create = self._graph.states.current(room.room_nid).event("m.room.create")
        return create is not None and create.sender == self._speaker_id()

    def _speaker_id(self) -> UserId:
        return UserId(f"@{self._configured().localpart}:{self._server_name}")

    def _speaker(self) -> Requester:
        """Who speaks; the account, which nobody can sign in to, is made when it is first needed."""
        settings, user_id = self._configured(), self._speaker_id()
        user = self._users.find(user_id)
        if user is None:
            user, _ = self._registration.create(NewAccount(settings.localpart, displayname=settings.display_name))
            if settings.avatar_url is not None:
                profile = {"displayname": settings.display_name, "avatar_url": settings.avatar_url}
                fields = {key: value for key, value in profile.items() if value is not None}
                nid = user.user_nid
                self._writer.submit(lambda transaction: self._profiles.set(transaction, nid, fields), nid)
        return Requester(user.user_id, user.user_nid, None, 0)

    def _configured(self) -> NoticeSettings:
        if self._settings is None:
            raise BadRequest("Server notices are not enabled on this server.", errcode="M_UNKNOWN")
        return self._settings


def local_user(users: UserStore, user_id: UserId, server_name: ServerName) -> User:
    """Whom to tell something. Raises: `BadRequest` for another server's user, `NotFound`."""
    if not user_id.endswith(f":{server_name}"):
        raise BadRequest("Server notices can only be sent to local users.", errcode="M_UNKNOWN")
    user = users.find(user_id)
    if user is None or user.is_deactivated:
        raise NotFound(f"There is no account {user_id}.")
    return user
