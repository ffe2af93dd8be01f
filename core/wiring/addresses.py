"""Addresses: mail, its templates, the validation of addresses, identity servers, terms, and the stages made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from core.accounts.identity_servers import IdentityServers
from core.accounts.interactive_auth import Flow, Stage
from core.accounts.outside import OutsideWeb
from core.accounts.registration_flows import registration_flows
from core.accounts.shown_at_registration import ShownAtRegistration
from core.accounts.terms import Terms
from core.accounts.threepid_stages import RecaptchaStage, TermsStage, ThreepidStage
from core.accounts.threepids import Threepids
from core.accounts.validation import Lifetimes, Purpose, Validation
from core.config import Config
from core.config.problems import ConfigError
from core.events.canonical_json import encode
from core.federation.request_signing import DESTINATION, DESTINATION_IS, authorization
from core.ids import ServerName
from core.mail.outgoing import Mailer
from core.mail.templates import Templates
from core.push.mailing.new_users import mail_new_user
from core.storage.pushers import PusherStore
from core.storage.threepids import ThreepidStore
from core.storage.users import UserStore
from core.storage.validation_sessions import ValidationSessionStore
from core.wiring.ground import Ground

_SUBJECTS = {
    Purpose.REGISTER.value: ("email_validation", "[%(server_name)s] Confirm your e-mail address"),
    Purpose.ADD.value: ("email_validation", "[%(server_name)s] Confirm your e-mail address"),
    Purpose.RESET.value: ("password_reset", "[%(server_name)s] Set a new password"),
    "already_in_use": ("email_already_in_use", "[%(server_name)s] This address has an account"),
}
"""For each kind of mail the key in `email.subjects`, and the subject without it."""


@dataclass(frozen=True, slots=True)
class AddressesPart:
    """What accounts are built on, where addresses are concerned."""

    mailer: Mailer
    templates: Templates
    store: ThreepidStore
    validation: Validation
    threepids: Threepids
    identity: IdentityServers
    terms: Terms
    stages: list[Stage]
    flows: list[Flow]
    shown: ShownAtRegistration
    mails_of_missed: bool
    """Whether users may have mails about messages they have missed."""


def build_addresses(ground: Ground, web: OutsideWeb) -> AddressesPart:
    """Build the part. Templates of the administrator's are read now, so that one that is wrong stops the start."""
    config, storage, name = ground.config, ground.storage, ground.server_name
    registration = config.registration
    base = config.server.public_baseurl or f"https://{name}/"
    templates = Templates(
        config.server.custom_template_directory, {"app_name": config.email.app_name, "server_name": name}
    )
    if config.server.custom_template_directory is not None and (wrong := templates.problems()):
        raise ConfigError(*wrong)
    mailer = Mailer(ground.plugins, templates, config.email.app_name, subjects_of(config))
    lifetimes = Lifetimes(config.email.validation_token_lifetime, registration.invalid_3pid_session_lifetime)
    validation = Validation(
        ValidationSessionStore(storage.database),
        storage.writer,
        mailer,
        base,
        lifetimes,
        registration.next_link_domain_whitelist,
    )
    pushers = PusherStore(storage.database)
    store = ThreepidStore(storage.database, pushers.remove_of_address)
    threepids = Threepids(store, validation, mailer, storage.writer, ground.plugins, registration)

    def sign(target: str, destination: str, content: Mapping[str, Any]) -> list[str]:
        return [
            authorization("POST", target, name, ServerName(destination), encode(content), ground.signing_key, key)
            for key in (DESTINATION, DESTINATION_IS)
        ]

    identity = IdentityServers(web, store, storage.writer, sign, registration.account_threepid_delegates_msisdn)
    key = (config.auth.form_secret or "").encode()
    terms = Terms(registration.user_consent, base, key, UserStore(storage.database), storage.writer)
    flows = registration_flows(
        registration,
        can_mail=mailer.can_send,
        can_text=identity.can_text,
        needs_terms=terms.is_in_force and terms.is_required_at_registration,
    )
    mails_of_missed = config.email.enable_notifs and mailer.can_send
    to_new_users = partial(mail_new_user, pushers) if mails_of_missed and config.email.notif_for_new_users else None
    return AddressesPart(
        mailer,
        templates,
        store,
        validation,
        threepids,
        identity,
        terms,
        stages_of(config, web, validation, identity, terms),
        flows,
        ShownAtRegistration(threepids, terms, to_new_users),
        mails_of_missed,
    )


def stages_of(
    config: Config, web: OutsideWeb, validation: Validation, identity: IdentityServers, terms: Terms
) -> list[Stage]:
    """The stages that the configuration makes possible."""
    registration = config.registration
    stages: list[Stage] = []
    if validation.can_mail:
        stages.append(ThreepidStage("m.login.email.identity", "email", validation.proof))
    if identity.can_text:
        stages.append(ThreepidStage("m.login.msisdn", "msisdn", identity.validated))
    if registration.recaptcha_public_key and registration.recaptcha_private_key:
        stages.append(
            RecaptchaStage(
                web,
                registration.recaptcha_public_key,
                registration.recaptcha_private_key,
                registration.recaptcha_siteverify_api,
            )
        )
    if terms.is_in_force:
        stages.append(TermsStage(terms))
    return stages


def subjects_of(config: Config) -> dict[str, str]:
    """The subject of each kind of mail."""
    values = {"app": config.email.app_name, "server_name": config.server.server_name}
    found = {}
    for kind, (key, default) in _SUBJECTS.items():
        subject = str(config.email.subjects.get(key, default))
        for name, value in values.items():
            subject = subject.replace(f"%({name})s", value)
        found[kind] = " ".join(subject.split())
    return found
