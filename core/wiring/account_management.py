"""What users and administrators do to accounts: addresses, passwords, the end of an account, tokens for other services."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint

from core.accounts.administration import Administration
from core.accounts.devices import Devices
from core.accounts.openid import Openid
from core.accounts.password_change import PasswordChange
from core.api.client import (
    administrative_contact,
    consent,
    login_token,
    password_management,
    rtc_transports,
    server_administration,
    token_requests,
    voip,
)
from core.api.client import openid as client_openid
from core.api.federation import openid as federation_openid
from core.storage.openid_tokens import OpenidTokenStore
from core.wiring.accounts import AccountsPart
from core.wiring.addresses import AddressesPart
from core.wiring.ground import Ground


@dataclass(frozen=True, slots=True)
class AccountManagementPart:
    """The services others use."""

    administration: Administration
    blueprints: list[Blueprint]


def build_account_management(ground: Ground, accounts: AccountsPart, addresses: AddressesPart) -> AccountManagementPart:
    """Build the part over an open database."""
    config, storage, name, gate = ground.config, ground.storage, ground.server_name, accounts.gate
    registration, interactive = config.registration, accounts.interactive
    threepids, validation, identity = addresses.threepids, addresses.validation, addresses.identity
    administration = Administration(
        accounts.users,
        accounts.registration,
        accounts.passwords,
        accounts.sessions,
        storage.writer,
        accounts.deactivation,
    )
    change = PasswordChange(
        interactive,
        accounts.users,
        accounts.passwords,
        accounts.sessions,
        threepids,
        validation,
        storage.writer,
    )
    openid = Openid(OpenidTokenStore(storage.database), storage.writer)
    devices = Devices(accounts.devices, accounts.last_seen, storage.writer)
    existing = config.auth.login_via_existing_session
    validated = administrative_contact.ValidatedSessions(validation.proof, identity)
    blueprints = [
        password_management.blueprint(
            change, accounts.deactivation, interactive, gate, bool(config.auth.password_localdb_enabled)
        ),
        token_requests.blueprint(
            threepids,
            validation,
            identity,
            addresses.templates,
            gate,
            registration.enable_registration,
            registration.enable_3pid_changes,
        ),
        administrative_contact.blueprint(
            threepids, identity, validated, interactive, gate, registration.enable_3pid_changes
        ),
        login_token.blueprint(
            accounts.login_tokens,
            interactive,
            gate,
            bool(existing.get("enabled")),
            bool(existing.get("require_ui_auth", True)),
        ),
        client_openid.blueprint(openid, gate, name),
        federation_openid.blueprint(openid),
        voip.blueprint(config.voip, gate),
        rtc_transports.blueprint(config.voip.matrix_rtc_transports, gate),
        server_administration.blueprint(administration, devices, gate, name),
        consent.blueprint(addresses.terms, name),
    ]
    return AccountManagementPart(administration, blueprints)
