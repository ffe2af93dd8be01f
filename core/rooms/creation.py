"""Creating a room: all its first events in one append, then the alias, the listing and the invites.

Spec: Client-Server API, POST /createRoom.
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Mapping
from typing import Any

from core.errors import AuthRuleViolation, BadRequest, Conflict
from core.events.room_versions import RoomVersion
from core.graph.graph import Graph
from core.hooks.manager import PluginManager
from core.hooks.specs import observers, permissions
from core.ids import Requester, RoomId, RoomNid, ServerName
from core.rooms.aliases import Aliases
from core.rooms.creation_plan import NewRoom, creation_drafts
from core.rooms.membership import Memberships
from core.rooms.profiles import Profiles
from core.rooms.third_party_invites import ThirdPartyInvites
from core.storage.room_aliases import PublishedRoomStore, RoomAliasStore
from core.storage.rooms import RoomName
from core.storage.writer import Writer

OPAQUE_LETTERS = 18
"""Length of the opaque part of a room id before room version 12: 107 random bits."""


class RoomCreation:
    """Creates rooms."""

    def __init__(
        self,
        graph: Graph,
        memberships: Memberships,
        by_address: ThirdPartyInvites,
        aliases: Aliases,
        alias_store: RoomAliasStore,
        published: PublishedRoomStore,
        writer: Writer,
        profiles: Profiles,
        plugins: PluginManager,
        server_name: ServerName,
    ) -> None:
        self._graph = graph
        self._memberships = memberships
        self._by_address = by_address
        self._aliases = aliases
        self._alias_store = alias_store
        self._published = published
        self._writer = writer
        self._profiles = profiles
        self._plugins = plugins
        self._server_name = server_name

    def create(self, requester: Requester, room: NewRoom, request: Mapping[str, Any]) -> RoomId:
        """Create the room and return its id. `request` is the body as it came, for plugins.

        Raises BadRequest (M_INVALID_ROOM_STATE) where the first events would break the auth rules, M_ROOM_IN_USE for a
        taken alias, Forbidden where a plugin says so.
        """
        creator = requester.user_id
        self._plugins.require(permissions.user_may_create_room, user_id=creator, request=request)
        self._check_plugins_on_names(requester, room)
        if room.alias is not None and self._alias_store.find(room.alias) is not None:
            raise _alias_taken(room.alias)
        drafts = creation_drafts(room, creator, self._profiles.member_fields(creator))
        try:
            created = self._graph.write.create(room.version, drafts, self._new_room_id(room.version))
        except AuthRuleViolation as refused:
            raise BadRequest(
                f"The room cannot start like this: {refused.sentence}", errcode="M_INVALID_ROOM_STATE"
            ) from refused
        self._name_and_list(requester, room, created.room_nid)
        name = RoomName(created.room_nid, created.room_id, room.version)
        if "predecessor" in room.creation_content:
            self._memberships.carry_settings(requester, name)
        self._invite(requester, room, name)
        self._plugins.tell(observers.room_created, user_id=creator, room_id=created.room_id, request=request)
        return created.room_id

    def _check_plugins_on_names(self, requester: Requester, room: NewRoom) -> None:
        if room.alias is not None:
            self._plugins.require(
                permissions.user_may_create_alias, user_id=requester.user_id, alias=room.alias, room_id=None
            )
        if room.is_published:
            self._plugins.require(
                permissions.user_may_publish, user_id=requester.user_id, room_id=RoomId(""), room=None, is_public=True
            )

    def _new_room_id(self, version: RoomVersion) -> RoomId | None:
        """An id for a room whose version does not derive it from the create event."""
        if version.room_id_is_create_hash:
            return None
        opaque = "".join(secrets.choice(string.ascii_letters) for _ in range(OPAQUE_LETTERS))
        return RoomId(f"!{opaque}:{self._server_name}")

    def _name_and_list(self, requester: Requester, room: NewRoom, nid: RoomNid) -> None:
        if room.alias is not None:
            try:
                self._aliases.claim(requester, room.alias, nid)
            except Conflict as taken:  # by somebody who was quicker
                raise _alias_taken(room.alias) from taken
        if room.is_published:
            self._writer.submit(lambda transaction: self._published.set(transaction, nid, True))

    def _invite(self, requester: Requester, room: NewRoom, name: RoomName) -> None:
        extra = {"is_direct": True} if room.is_direct else {}
        for target in room.invite:
            if target != requester.user_id:
                self._memberships.send_invite(requester, name, target, extra)
        for address in room.invite_3pid:
            self._by_address.invite(requester, name.room_id, address, extra=extra)


def _alias_taken(alias: str) -> BadRequest:
    return BadRequest(f"The room alias {alias} is taken already.", errcode="M_ROOM_IN_USE")
