"""Rooms: the stored graph, what users do with it, and the endpoints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from flask import Blueprint

from core.accounts.ignored_users import IgnoredUsers
from core.accounts.invite_permission import InvitePermissions
from core.accounts.profiles import Profiles
from core.api.client import (
    create_room,
    delayed_events,
    directory,
    message_pagination,
    room_membership,
    room_send,
    room_state,
    rooms,
)
from core.config import ConfigError
from core.config.rooms import RoomsConfig
from core.errors import NotFound
from core.graph.client_events import ClientEvents
from core.graph.erasure import Erasure
from core.graph.graph import Graph, build_graph
from core.graph.prejoin import PrejoinState, prejoin_state
from core.graph.unsigned_fields import ContributedFields
from core.graph.viewing import Viewing
from core.hooks.manager import PluginManager
from core.hooks.specs import contributions
from core.ids import ServerName, UserId, server_of
from core.rooms.access import RoomAccess
from core.rooms.aggregates import BUNDLED
from core.rooms.aliases import AliasChecks, Aliases
from core.rooms.annotations import RelationRules
from core.rooms.bundles import RelationBundles
from core.rooms.complexity import JoinLimit, RoomComplexity
from core.rooms.creation import RoomCreation
from core.rooms.delayed_events import DelayedEvents, DelayLimits
from core.rooms.departures import Departures
from core.rooms.guest_access import GuestDepartures
from core.rooms.membership import Memberships
from core.rooms.paging import Paging
from core.rooms.pending_invites import PendingInvites
from core.rooms.personal_settings import PersonalSettings
from core.rooms.profile_updates import ProfileUpdates
from core.rooms.reading import Reading
from core.rooms.remote_history import LateRemoteHistory
from core.rooms.remote_rooms import LateRemoteRooms
from core.rooms.residents import Residents
from core.rooms.restricted_joins import RestrictedJoins
from core.rooms.sending import Sending
from core.rooms.third_party_invites import AddressBook, ThirdPartyInvites
from core.storage.delayed_events import DelayedEventStore
from core.storage.outbound_relays import OutboundRelayStore
from core.storage.related_events import RelatedEventStore
from core.storage.room_aliases import PublishedRoomStore, RoomAliasStore
from core.wiring.accounts import AccountsPart
from core.wiring.cache_budgets import cache_budgets
from core.wiring.ground import Ground

_MEMBER_FIELDS = ("displayname", "avatar_url")
_ENCRYPTED_PRESETS = {
    "all": frozenset({"private_chat", "trusted_private_chat", "public_chat"}),
    "invite": frozenset({"private_chat", "trusted_private_chat"}),
}


class MemberProfiles:
    """core.rooms' view of profiles."""

    def __init__(self, profiles: Profiles, server_name: ServerName, settings: RoomsConfig) -> None:
        self._profiles = profiles
        self._server_name = server_name
        self._settings = settings

    def member_fields(self, user_id: UserId) -> Mapping[str, Any]:
        """What of the profile goes into member events; other servers are not asked for theirs."""
        if server_of(user_id) != self._server_name:
            return {}
        try:
            profile = self._profiles.get(user_id)
        except NotFound:
            return {}
        return {key: profile[key] for key in _MEMBER_FIELDS if key in profile}

    def invite_fields(self, user_id: UserId) -> Mapping[str, Any]:
        """As `member_fields`, unless invites are to say nothing of the invited."""
        return self.member_fields(user_id) if self._settings.include_profile_data_on_invite else {}

    def in_room(self, user_id: UserId, content: Mapping[str, Any]) -> Mapping[str, Any]:
        """`content`, with the profile's own fields where users may not have others in a room."""
        if self._settings.allow_per_room_profiles:
            self._check_avatar(user_id, content.get("avatar_url"))
            return content
        others = {key: value for key, value in content.items() if key not in _MEMBER_FIELDS}
        return {**others, **self.member_fields(user_id)}

    def _check_avatar(self, user_id: UserId, wanted: Any) -> None:
        """Raise Forbidden for an avatar that may be none, unless the profile has it already."""
        avatars = self._profiles.avatars
        if avatars is not None and wanted and wanted != self.member_fields(user_id).get("avatar_url"):
            avatars.check(str(wanted))


@dataclass(frozen=True, slots=True)
class RoomsPart:
    """The services others use, and what has to be started and stopped."""

    graph: Graph
    remote: LateRemoteRooms
    elsewhere: LateRemoteHistory
    viewing: Viewing
    client_events: ClientEvents
    access: RoomAccess
    reading: Reading
    paging: Paging
    alias_store: RoomAliasStore
    published: PublishedRoomStore
    ignored: IgnoredUsers
    invite_permissions: InvitePermissions
    personal: PersonalSettings
    related: RelatedEventStore
    bundles: RelationBundles
    creation: RoomCreation
    memberships: Memberships
    sending: Sending
    delayed: DelayedEvents
    aliases: Aliases
    pending_invites: PendingInvites
    profile_updates: ProfileUpdates
    guest_departures: GuestDepartures
    blueprints: list[Blueprint]


def build_rooms(ground: Ground, accounts: AccountsPart, book: AddressBook) -> RoomsPart:
    """Build the part over an open database."""
    storage, plugins, name, data = ground.storage, ground.plugins, ground.server_name, accounts.account_data_store
    writer, database = storage.writer, storage.database
    graph, viewing = _graph(ground)
    ignored, invite_permissions = IgnoredUsers(data, graph.texts.text), InvitePermissions(data)
    alias_store, published = stores = RoomAliasStore(database), PublishedRoomStore(database)
    related = RelatedEventStore(database)
    bundles = RelationBundles(related, graph.events, graph.texts, viewing, ignored.of)
    client_events = _client_events(ground, accounts, graph, viewing, bundles)
    access, remote, elsewhere = RoomAccess(graph), LateRemoteRooms(), LateRemoteHistory()
    profiles, residents = MemberProfiles(accounts.profiles, name, ground.config.rooms), Residents(graph, name)
    checks, restricted = AliasChecks(graph, alias_store, remote, residents, name), RestrictedJoins(graph, name)
    members_only = ground.config.rooms.require_membership_for_aliases
    aliases = Aliases(graph, access, alias_store, checks, writer, plugins, name, members_only)
    personal = PersonalSettings(graph, data, writer)
    limit = _join_limit(ground, graph, remote)
    memberships = Memberships(
        graph, access, profiles, restricted, remote, plugins, name, residents, invite_permissions, personal, limit
    )
    sending = Sending(graph, access, checks, plugins, RelationRules(graph, related))
    delayed = _delayed_events(ground, accounts, graph, access, sending, memberships)
    by_address = _by_address(ground, graph, access, memberships, profiles, book)
    creation = RoomCreation(graph, memberships, by_address, aliases, *stores, writer, profiles, plugins, name)
    reading = Reading(graph, access, viewing, client_events, elsewhere)
    for follower in (ignored, invite_permissions, bundles, reading):
        storage.tail.follow(follower.follow, follower.followed)
    paging = Paging(graph, access, viewing, client_events, reading, storage.tail, ignored.of, elsewhere)
    pending = _pending_invites(ground, accounts, graph, residents, remote, profiles)
    return RoomsPart(
        graph=graph,
        remote=remote,
        elsewhere=elsewhere,
        viewing=viewing,
        client_events=client_events,
        access=access,
        reading=reading,
        paging=paging,
        alias_store=alias_store,
        published=published,
        ignored=ignored,
        invite_permissions=invite_permissions,
        personal=personal,
        related=related,
        bundles=bundles,
        creation=creation,
        memberships=memberships,
        sending=sending,
        delayed=delayed,
        aliases=aliases,
        pending_invites=pending,
        profile_updates=ProfileUpdates(graph, profiles),
        guest_departures=GuestDepartures(graph, accounts.guests_among),
        blueprints=[
            _create_room(ground, accounts, creation),
            room_membership.blueprint(memberships, aliases, by_address, pending, accounts.gate),
            *_event_blueprints(ground, accounts, sending, delayed, memberships, reading, paging),
            directory.blueprint(aliases, accounts.gate),
        ],
    )


def _join_limit(ground: Ground, graph: Graph, remote: LateRemoteRooms) -> JoinLimit | None:
    settings = ground.config.rooms
    if not settings.limit_remote_rooms_enabled:
        return None
    return JoinLimit(
        RoomComplexity(graph),
        remote,
        settings.limit_remote_rooms_complexity,
        settings.limit_remote_rooms_complexity_error,
        settings.limit_remote_rooms_admins_can_join,
        ground.config.server.admin_contact or "",
    )


def _by_address(
    ground: Ground,
    graph: Graph,
    access: RoomAccess,
    memberships: Memberships,
    profiles: MemberProfiles,
    book: AddressBook,
) -> ThirdPartyInvites:
    looks_up, client = ground.config.registration.enable_3pid_lookup, ground.config.email.invite_client_location
    return ThirdPartyInvites(graph, access, memberships, profiles, book, ground.plugins, looks_up, client)


def _pending_invites(
    ground: Ground,
    accounts: AccountsPart,
    graph: Graph,
    residents: Residents,
    remote: LateRemoteRooms,
    profiles: MemberProfiles,
) -> PendingInvites:
    relays = OutboundRelayStore(ground.storage.database, ground.storage.writer)
    return PendingInvites(graph, residents, remote, profiles, accounts.users, relays, ground.server_name)


def _client_events(
    ground: Ground, accounts: AccountsPart, graph: Graph, viewing: Viewing, bundles: RelationBundles
) -> ClientEvents:
    return ClientEvents(
        graph.events,
        graph.states,
        viewing,
        graph.transaction_ids,
        bundles,
        cache_budgets(ground.config.caches).encoded_events,
        contributed=contributed_fields(ground.plugins),
        erasure=Erasure(viewing, accounts.erased),
    )


def contributed_fields(plugins: PluginManager) -> ContributedFields:
    """What plugins add to the `unsigned` of events. Raises PluginError."""
    return ContributedFields(plugins, plugins.contributions(contributions.contribute_unsigned_fields))


def departures(accounts: AccountsPart, rooms: RoomsPart) -> Departures:
    """The consumer that takes ended accounts out of rooms."""
    return Departures(rooms.graph, rooms.memberships, accounts.ended)


def _create_room(ground: Ground, accounts: AccountsPart, creation: RoomCreation) -> Blueprint:
    settings = ground.config.rooms
    encrypted = _ENCRYPTED_PRESETS.get(str(settings.encryption_enabled_by_default_for_room_type), frozenset())
    return create_room.blueprint(
        creation,
        accounts.gate,
        ground.server_name,
        settings.default_room_version,
        encrypted,
        settings.default_power_level_content_override,
    )


def _delayed_events(
    ground: Ground,
    accounts: AccountsPart,
    graph: Graph,
    access: RoomAccess,
    sending: Sending,
    memberships: Memberships,
) -> DelayedEvents:
    settings, storage = ground.config.rooms, ground.storage
    limits = DelayLimits(settings.max_event_delay_duration, settings.max_delayed_events_per_user)
    store = DelayedEventStore(storage.database)
    return DelayedEvents(graph, access, sending, memberships, accounts.users, store, storage.writer, limits)


def _event_blueprints(
    ground: Ground,
    accounts: AccountsPart,
    sending: Sending,
    delayed: DelayedEvents,
    memberships: Memberships,
    reading: Reading,
    paging: Paging,
) -> list[Blueprint]:
    gate, activity = accounts.gate, ground.activity
    return [
        room_send.blueprint(sending, delayed, activity, gate),
        room_state.blueprint(sending, delayed, memberships, reading, gate),
        delayed_events.blueprint(delayed, gate),
        rooms.blueprint(reading, paging, gate),
        message_pagination.blueprint(paging, gate),
    ]


def _graph(ground: Ground) -> tuple[Graph, Viewing]:
    """The graph, and who sees what of it, with caches of the sizes that the configuration says."""
    storage, budgets = ground.storage, cache_budgets(ground.config.caches)
    prejoin = _prejoin(ground)
    graph = build_graph(
        storage.database,
        storage.writer,
        storage.tail,
        storage.interner,
        ground.server_name,
        ground.signing_key,
        event_cache_bytes=budgets.events,
        state_cache_bytes=budgets.states,
        tip_cache_bytes=budgets.tips,
    )
    graph.texts.nids(BUNDLED)  # looking up what is not interned asks the database each time
    return replace(graph, prejoin=prejoin), Viewing(graph.states, budgets.viewing)


def _prejoin(ground: Ground) -> PrejoinState:
    """Raises ConfigError for a setting that is none."""
    try:
        return prejoin_state(ground.config.rooms.room_prejoin_state)
    except ValueError as error:
        raise ConfigError(str(error)) from error
