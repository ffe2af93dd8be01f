"""Accounts: users, sessions, login, registration, profiles, account data, filters, and their endpoints."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from flask import Blueprint

from core.accounts.access_tokens import AccessTokens
from core.accounts.account_data import AccountData
from core.accounts.auth_stages import DummyStage, PasswordStage, RegistrationTokenStage, contributed_stages
from core.accounts.devices import Devices
from core.accounts.filters import Filters
from core.accounts.interactive_auth import InteractiveAuth, Stage
from core.accounts.last_seen import LastSeen
from core.accounts.login import Identifiers, Login, LoginMethod, PasswordLogin, contributed_logins
from core.accounts.passwords import Passwords
from core.accounts.profiles import Profiles, RemoteProfiles
from core.accounts.registering import Registering
from core.accounts.registration import Registration
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
from core.config import Config
from core.events.room_versions import ROOM_VERSIONS
from core.push.rules import PushRules
from core.storage.access_tokens import AccessTokenStore
from core.storage.account_data import AccountDataStore
from core.storage.auth_sessions import AuthSessionStore
from core.storage.devices import DeviceStore, RemovalListener
from core.storage.filters import FilterStore
from core.storage.profiles import ProfileStore
from core.storage.registration_tokens import RegistrationTokenStore
from core.storage.users import UserStore
from core.web.gate import Gate
from core.wiring.ground import Ground


@dataclass(frozen=True, slots=True)
class AccountsPart:
    """The services others use, and what has to be started and stopped."""

    gate: Gate
    users: UserStore
    profiles: Profiles
    account_data: AccountData
    account_data_store: AccountDataStore
    filters: Filters
    interactive: InteractiveAuth
    registration: Registration
    sessions: Sessions
    tokens: AccessTokens
    devices: DeviceStore
    last_seen: LastSeen
    blueprints: list[Blueprint]


def build_accounts(
    ground: Ground,
    rules: PushRules,
    on_device_removal: Iterable[RemovalListener] = (),
    remote_profiles: RemoteProfiles | None = None,
) -> AccountsPart:
    """Build the part over an open database. The listeners clean up what others keep per device."""
    config, storage, plugins, name = ground.config, ground.storage, ground.plugins, ground.server_name
    database, writer = storage.database, storage.writer
    users, device_store = UserStore(database), DeviceStore(database, on_device_removal)
    profile_store = ProfileStore(database)
    registration_tokens, token_store = RegistrationTokenStore(database), AccessTokenStore(database)
    last_seen = LastSeen(device_store, writer)
    tokens = AccessTokens(token_store, writer, last_seen, plugins=plugins)
    gate = Gate(tokens, ground.limits)
    sessions = Sessions(device_store, token_store, writer, config.auth, plugins=plugins)
    making = Registration(name, users, profile_store, registration_tokens, sessions, storage.interner, writer, plugins)
    passwords, identifiers = Passwords(users, writer, plugins, config.auth), Identifiers(name)
    token_stage = RegistrationTokenStage(registration_tokens)
    password_stage = PasswordStage(identifiers, passwords, ground.limits)
    stages: list[Stage] = [DummyStage(), token_stage, password_stage, *contributed_stages(plugins)]
    key = (config.auth.form_secret or "").encode()
    interactive = InteractiveAuth(stages, AuthSessionStore(database), writer, key)
    methods = _login_methods(ground, PasswordLogin(identifiers, passwords, ground.limits))
    signing_in = Login(methods, users, sessions, making, plugins, name)
    registering = Registering(config.registration, making, interactive, passwords, users, sessions, tokens, plugins)
    profiles = Profiles(name, users, profile_store, writer, plugins, config.registration, remote_profiles)
    storage.tail.follow(tokens.follow)
    storage.tail.follow(profiles.follow)
    account_data_store, filters = AccountDataStore(database), Filters(FilterStore(database), writer)
    account_data = AccountData(account_data_store, writer, plugins, {"m.push_rules": rules})
    blueprints = [
        login.blueprint(signing_in, sessions, gate, name, _well_known(config)),
        logout.blueprint(sessions, tokens),
        registration.blueprint(registering, token_stage, gate, name),
        whoami.blueprint(gate),
        profile.blueprint(profiles, gate, not config.rooms.require_auth_for_profile_requests),
        account_data_api.blueprint(account_data, gate),
        pushrules.blueprint(rules, gate),
        filter.blueprint(filters, gate),
        devices.blueprint(Devices(device_store, last_seen, writer), gate),
        auth_fallback.blueprint(interactive, gate),
        capabilities.blueprint(_capabilities(config), gate),
        admin_register.blueprint(SharedSecret(config.registration.registration_shared_secret), making, passwords, name),
    ]
    return AccountsPart(
        gate, users, profiles, account_data, account_data_store, filters, interactive, making, sessions, tokens,
        device_store, last_seen, blueprints
    )  # fmt: skip


def _login_methods(ground: Ground, by_password: PasswordLogin) -> list[LoginMethod]:
    contributed = contributed_logins(ground.plugins)
    return [by_password, *contributed] if ground.config.auth.password_enabled is True else [*contributed]


def _capabilities(config: Config) -> capabilities.Capabilities:
    return capabilities.Capabilities(
        config.rooms.default_room_version,
        list(ROOM_VERSIONS),
        change_password=False,
        set_displayname=config.registration.enable_set_displayname,
        set_avatar_url=config.registration.enable_set_avatar_url,
    )


def _well_known(config: Config) -> dict[str, Any] | None:
    base = config.server.public_baseurl
    return None if base is None else {"m.homeserver": {"base_url": base}}
