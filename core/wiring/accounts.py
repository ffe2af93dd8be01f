"""Accounts: users, sessions, login, registration, profiles, account data, filters, and their endpoints."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from flask import Blueprint

from core.accounts.access_tokens import AccessTokens
from core.accounts.account_data import AccountData
from core.accounts.auth_stages import DummyStage, PasswordStage, RegistrationTokenStage, contributed_stages
from core.accounts.closed_server import ClosedServer, closed_server
from core.accounts.consent import ConsentRule, consent_rule
from core.accounts.deactivation import Deactivation, Kept
from core.accounts.devices import Devices
from core.accounts.erased_users import ErasedUsers
from core.accounts.filters import Filters
from core.accounts.interactive_auth import InteractiveAuth, Stage
from core.accounts.last_seen import LastSeen
from core.accounts.login import Identifiers, Login, LoginMethod, PasswordLogin, contributed_logins
from core.accounts.login_tokens import DEFAULT_LIFETIME_MS, LoginTokens
from core.accounts.passwords import Passwords
from core.accounts.profile_audience import ProfileAudience
from core.accounts.profiles import Profiles, RemoteProfiles
from core.accounts.registering import Registering
from core.accounts.registration import Registration, UserKinds
from core.accounts.sessions import Sessions
from core.accounts.shared_secret import SharedSecret
from core.api.admin import register as admin_register
from core.api.client import account_data as account_data_api
from core.api.client import (
    auth_fallback,
    capabilities,
    devices,
    filter,
    login,
    logout,
    profile,
    pushrules,
    registration,
    whoami,
)
from core.config import Config, ConfigError
from core.config.parsers import duration_ms
from core.events.room_versions import ROOM_VERSIONS
from core.ids import UserId, UserNid
from core.media.avatars import AvatarRule
from core.push.rules import PushRules
from core.storage.access_tokens import AccessTokenStore
from core.storage.account_data import AccountDataStore
from core.storage.auth_sessions import AuthSessionStore
from core.storage.devices import DeviceStore, RemovalListener
from core.storage.filters import FilterStore
from core.storage.login_tokens import LoginTokenStore
from core.storage.media import MediaStore
from core.storage.memberships import MembershipStore
from core.storage.openid_tokens import OpenidTokenStore
from core.storage.profiles import ProfileStore
from core.storage.registration_tokens import RegistrationTokenStore
from core.storage.users import UserStore
from core.storage.writer import Writer
from core.web.gate import Gate
from core.wiring.addresses import AddressesPart
from core.wiring.ground import Ground


@dataclass(frozen=True, slots=True)
class AccountsPart:
    """The services others use, and what has to be started and stopped."""

    gate: Gate
    consent: ConsentRule | None
    users: UserStore
    profiles: Profiles
    account_data_store: AccountDataStore
    filters: Filters
    interactive: InteractiveAuth
    sessions: Sessions
    tokens: AccessTokens
    devices: DeviceStore
    last_seen: LastSeen
    registration: Registration
    passwords: Passwords
    login_tokens: LoginTokens
    deactivation: Deactivation
    erased: ErasedUsers
    blueprints: list[Blueprint]

    def guests_among(self, user_nids: Collection[UserNid]) -> list[UserNid]:
        """Those of some users who are guests here."""
        return [UserNid(nid) for nid, one in self.users.find_many(user_nids).items() if one.is_guest]

    def ended(self, user_nids: Collection[UserNid]) -> dict[UserNid, UserId]:
        """Those of some users whose accounts have ended."""
        return {nid: one.user_id for nid, one in self.users.find_many(user_nids).items() if one.is_deactivated}


def build_accounts(
    ground: Ground,
    rules: PushRules,
    addresses: AddressesPart,
    on_device_removal: Iterable[RemovalListener] = (),
    remote_profiles: RemoteProfiles | None = None,
) -> AccountsPart:
    """Build the part over an open database. The listeners clean up what others keep per device."""
    config, storage, plugins, name = ground.config, ground.storage, ground.plugins, ground.server_name
    database, writer, limits = storage.database, storage.writer, ground.limits
    users, profile_store, token_store = UserStore(database), ProfileStore(database), AccessTokenStore(database)
    device_store, registration_tokens = DeviceStore(database, on_device_removal), RegistrationTokenStore(database)
    consent, closed = consent_rule(addresses.terms), closed_server(config.server)
    last_seen = LastSeen(device_store, writer)
    tokens = AccessTokens(token_store, writer, last_seen, plugins=plugins)
    gate = Gate(tokens, limits, rules=[rule for rule in (closed, consent) if rule is not None])
    sessions = Sessions(device_store, token_store, writer, config.auth, plugins=plugins)
    making = _registration(ground, users, profile_store, registration_tokens, sessions)
    passwords, identifiers = Passwords(users, writer, plugins, config.auth), Identifiers(name, addresses.threepids)
    by_token, by_password = RegistrationTokenStage(registration_tokens), PasswordStage(identifiers, passwords, limits)
    interactive = _interactive(ground, [DummyStage(), by_token, by_password, *addresses.stages])
    login_tokens = _login_tokens(config, LoginTokenStore(database), writer)
    methods = _login_methods(ground, PasswordLogin(identifiers, passwords, limits), login_tokens)
    signing_in = Login(methods, users, sessions, making, plugins, name, closed)
    registering = _registering(ground, addresses, closed, making, interactive, passwords, users, sessions, tokens)
    profiles = _profiles(ground, users, profile_store, remote_profiles)
    account_data_store, filters = AccountDataStore(database), Filters(FilterStore(database), writer)
    erased = ErasedUsers(users)
    for follower in (tokens, profiles, erased):
        storage.tail.follow(follower.follow, follower.followed)
    blueprints = [
        login.blueprint(signing_in, sessions, gate, name, _well_known(config)),
        logout.blueprint(sessions, tokens),
        registration.blueprint(registering, by_token, gate, name),
        whoami.blueprint(gate),
        *_own_blueprints(ground, profiles, account_data_store, rules, filters, gate),
        devices.blueprint(Devices(device_store, last_seen, writer), gate),
        auth_fallback.blueprint(interactive, gate, addresses.threepids if registering.is_open else None),
        capabilities.blueprint(_capabilities(config), gate),
        admin_register.blueprint(_shared_secret(config), making, passwords, name),
    ]
    return AccountsPart(
        gate,
        consent,
        users,
        profiles,
        account_data_store,
        filters,
        interactive,
        sessions,
        tokens,
        device_store,
        last_seen,
        making,
        passwords,
        login_tokens,
        _deactivation(ground, users, sessions, account_data_store, profile_store, addresses),
        erased,
        blueprints,
    )


def _registration(
    ground: Ground,
    users: UserStore,
    profiles: ProfileStore,
    tokens: RegistrationTokenStore,
    sessions: Sessions,
) -> Registration:
    """Who makes accounts; the name under which the server speaks to its users is kept for it."""
    storage, speaker = ground.storage, (ground.config.rooms.server_notices or {}).get("system_mxid_localpart")
    reserved = frozenset([speaker]) if isinstance(speaker, str) else frozenset()
    stores, name = (users, profiles, tokens), ground.server_name
    configured = ground.config.registration.user_types
    kinds = UserKinds(configured["extra_user_types"], configured["default_user_type"])
    return Registration(
        name, *stores, sessions, storage.interner, storage.writer, ground.plugins, reserved=reserved, kinds=kinds
    )


def _registering(
    ground: Ground,
    addresses: AddressesPart,
    closed: ClosedServer | None,
    making: Registration,
    interactive: InteractiveAuth,
    passwords: Passwords,
    users: UserStore,
    sessions: Sessions,
    tokens: AccessTokens,
) -> Registering:
    """What /register does, with all that the configuration asks of whoever wants an account."""
    services, config = (making, interactive, passwords, users, sessions, tokens), ground.config.registration
    return Registering(config, *services, ground.plugins, closed, addresses.flows, addresses.shown)


def _profiles(ground: Ground, users: UserStore, store: ProfileStore, remote: RemoteProfiles | None) -> Profiles:
    config, storage, limits = ground.config.registration, ground.storage, ground.config.media
    is_limited = limits.max_avatar_size is not None or limits.allowed_avatar_mimetypes is not None
    rule = AvatarRule(MediaStore(storage.database), limits.max_avatar_size, limits.allowed_avatar_mimetypes)
    avatars = rule if is_limited else None
    return Profiles(ground.server_name, users, store, storage.writer, ground.plugins, config, remote, avatars)


def _audience(ground: Ground) -> ProfileAudience:
    settings, texts = ground.config.rooms, ground.storage.interner
    memberships = MembershipStore(ground.storage.database)

    def shares_room(user: UserNid, other: UserId) -> bool:
        nid = texts.find(other)
        return nid is not None and bool(memberships.shared_rooms(user, nid))

    is_limited = settings.limit_profile_requests_to_users_who_share_rooms
    return ProfileAudience(settings.require_auth_for_profile_requests, shares_room if is_limited else None)


def _capabilities(config: Config) -> capabilities.Capabilities:
    return capabilities.Capabilities(
        config.rooms.default_room_version,
        list(ROOM_VERSIONS),
        change_password=config.auth.password_localdb_enabled,
        change_3pids=config.registration.enable_3pid_changes,
        get_login_token=bool(config.auth.login_via_existing_session.get("enabled")),
        set_displayname=config.registration.enable_set_displayname,
        set_avatar_url=config.registration.enable_set_avatar_url,
        forgets_on_leave=config.rooms.forget_rooms_on_leave,
    )


def _deactivation(
    ground: Ground,
    users: UserStore,
    sessions: Sessions,
    account_data_store: AccountDataStore,
    profile_store: ProfileStore,
    addresses: AddressesPart,
) -> Deactivation:
    database = ground.storage.database
    tokens = OpenidTokenStore(database), LoginTokenStore(database)
    kept = Kept(account_data_store, profile_store, addresses.store, *tokens)
    return Deactivation(users, sessions, ground.storage.writer, ground.plugins, kept, addresses.identity)


def _own_blueprints(
    ground: Ground,
    profiles: Profiles,
    account_data_store: AccountDataStore,
    rules: PushRules,
    filters: Filters,
    gate: Gate,
) -> list[Blueprint]:
    account_data = AccountData(account_data_store, ground.storage.writer, ground.plugins, {"m.push_rules": rules})
    return [
        profile.blueprint(profiles, gate, _audience(ground)),
        account_data_api.blueprint(account_data, gate),
        pushrules.blueprint(rules, gate),
        filter.blueprint(filters, gate),
    ]


def _shared_secret(config: Config) -> SharedSecret:
    return SharedSecret(config.registration.registration_shared_secret)


def _interactive(ground: Ground, stages: list[Stage]) -> InteractiveAuth:
    auth, storage = ground.config.auth, ground.storage
    contributed = contributed_stages(ground.plugins)
    _refuse_unknown_stages(ground.config, [stage.type for stage in contributed])
    stages = [*stages, *contributed]
    key = (auth.form_secret or "").encode()
    store = AuthSessionStore(storage.database)
    return InteractiveAuth(stages, store, storage.writer, key, grace_ms=auth.ui_auth_session_timeout)


def _refuse_unknown_stages(config: Config, known: list[str]) -> None:
    """Raises ConfigError where registration asks for a stage that no plugin adds: nobody could pass it."""
    unknown = [one for one in config.registration.registration_requires_stages if one not in known]
    if unknown:
        raise ConfigError(
            f"registration_requires_stages: {unknown[0]!r} is not allowed; no plugin adds such a stage, and those that "
            f"are added are: {', '.join(known) or 'none'}."
        )


def _login_methods(ground: Ground, by_password: PasswordLogin, tokens: LoginTokens) -> list[LoginMethod]:
    auth = ground.config.auth
    methods: list[LoginMethod] = [by_password] if auth.password_enabled is True else []
    methods += contributed_logins(ground.plugins)
    if auth.login_via_existing_session.get("enabled"):
        methods.append(tokens)
    return methods


def _login_tokens(config: Config, store: LoginTokenStore, writer: Writer) -> LoginTokens:
    settings = config.auth.login_via_existing_session
    lifetime_ms = duration_ms(settings.get("token_timeout", DEFAULT_LIFETIME_MS))
    return LoginTokens(store, writer, bool(settings.get("enabled")), lifetime_ms)


def _well_known(config: Config) -> dict[str, Any] | None:
    base = config.server.public_baseurl
    return None if base is None else {"m.homeserver": {"base_url": base}}
