"""Rooms: the stored graph, what users do with it, and the endpoints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint

from core.accounts.profiles import Profiles
from core.api.client import (
    create_room,
    directory,
    message_pagination,
    room_membership,
    room_send,
    room_state,
    rooms,
)
from core.errors import NotFound
from core.graph.client_events import ClientEvents
from core.graph.graph import Graph, build_graph
from core.graph.viewing import Viewing
from core.ids import ServerName, UserId, server_of
from core.rooms.access import RoomAccess
from core.rooms.aliases import AliasChecks, Aliases
from core.rooms.creation import RoomCreation
from core.rooms.membership import Memberships
from core.rooms.paging import Paging
from core.rooms.profile_updates import ProfileUpdates
from core.rooms.reading import Reading
from core.rooms.remote_rooms import NoRemoteRooms
from core.rooms.residents import Residents
from core.rooms.restricted_joins import RestrictedJoins
from core.rooms.sending import Sending
from core.storage.room_aliases import PublishedRoomStore, RoomAliasStore
from core.wiring.accounts import AccountsPart
from core.wiring.ground import Ground

_MEMBER_FIELDS = ("displayname", "avatar_url")
_ENCRYPTED_PRESETS = {
    "all": frozenset({"private_chat", "trusted_private_chat", "public_chat"}),
    "invite": frozenset({"private_chat", "trusted_private_chat"}),
}


class MemberProfiles:
    """core.rooms' view of profiles."""

    def __init__(self, profiles: Profiles, server_name: ServerName) -> None:
        self._profiles = profiles
        self._server_name = server_name

    def member_fields(self, user_id: UserId) -> Mapping[str, Any]:
        """What of the profile goes into member events; other servers are not asked for theirs."""
        if server_of(user_id) != self._server_name:
            return {}
        try:
            profile = self._profiles.get(user_id)
        except NotFound:
            return {}
        return {key: profile[key] for key in _MEMBER_FIELDS if key in profile}


@dataclass(frozen=True, slots=True)
class RoomsPart:
    """The services others use, and what has to be started and stopped."""

    graph: Graph
    viewing: Viewing
    client_events: ClientEvents
    memberships: Memberships
    sending: Sending
    aliases: Aliases
    profile_updates: ProfileUpdates
    blueprints: list[Blueprint]


def build_rooms(ground: Ground, accounts: AccountsPart) -> RoomsPart:
    """Build the part over an open database."""
    config, storage, plugins, name, gate = (
        ground.config,
        ground.storage,
        ground.plugins,
        ground.server_name,
        accounts.gate,
    )
    writer = storage.writer
    graph = build_graph(storage.database, writer, storage.tail, storage.interner, name, ground.signing_key)
    viewing = Viewing(graph.states)
    client_events = ClientEvents(graph.events, graph.states, viewing, graph.transaction_ids)
    access, remote, profiles = RoomAccess(graph), NoRemoteRooms(), MemberProfiles(accounts.profiles, name)
    alias_store, published = RoomAliasStore(storage.database), PublishedRoomStore(storage.database)
    residents = Residents(graph, name)
    checks = AliasChecks(graph, alias_store, remote, residents, name)
    aliases = Aliases(graph, access, alias_store, checks, writer, plugins, name)
    memberships = Memberships(graph, access, profiles, RestrictedJoins(graph, name), remote, plugins, name, residents)
    sending = Sending(graph, access, checks, plugins)
    creation = RoomCreation(graph, memberships, aliases, alias_store, published, writer, profiles, plugins, name)
    reading = Reading(graph, access, viewing, client_events)
    paging = Paging(graph, access, viewing, client_events, reading, storage.tail)
    encrypted = _ENCRYPTED_PRESETS.get(str(config.rooms.encryption_enabled_by_default_for_room_type), frozenset())
    blueprints = [
        create_room.blueprint(creation, gate, name, config.rooms.default_room_version, encrypted),
        room_membership.blueprint(memberships, aliases, gate),
        room_send.blueprint(sending, gate),
        room_state.blueprint(sending, memberships, reading, gate),
        rooms.blueprint(reading, paging, gate),
        message_pagination.blueprint(paging, gate),
        directory.blueprint(aliases, gate),
    ]
    updates = ProfileUpdates(graph, profiles)
    return RoomsPart(graph, viewing, client_events, memberships, sending, aliases, updates, blueprints)
