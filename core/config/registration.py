"""Who may get an account, and what a new one starts with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.config.parsers import boolean, choice, duration_ms, list_of, mapping, text
from core.config.settings import setting


def user_types(value: Any) -> Mapping[str, Any]:
    """Kinds of accounts, and the one of new accounts for which none was named; it is one of them by being named."""
    found = mapping({} if value is None else value)
    extra, usual = found.get("extra_user_types") or [], found.get("default_user_type")
    if not isinstance(extra, list | tuple) or not all(isinstance(one, str) and one for one in extra):
        raise ValueError("a mapping whose extra_user_types is a list of names")
    if usual is not None and not (isinstance(usual, str) and usual):
        raise ValueError("a mapping whose default_user_type is a name")
    return {"extra_user_types": tuple(extra), "default_user_type": usual}


def validity(value: Any) -> Mapping[str, Any]:
    """How long accounts are valid; times in milliseconds. Keys of Synapse's that are about its templates are left out."""
    given = mapping(value)
    if not given.get("enabled", "period" in given):
        return {}
    if "period" not in given:
        raise ValueError("a mapping with enabled and period, after which an account expires")
    found: dict[str, Any] = {"enabled": True, "period": duration_ms(given["period"])}
    if given.get("renew_at") is not None:
        found["renew_at"] = duration_ms(given["renew_at"])
    if given.get("renew_email_subject") is not None:
        found["renew_email_subject"] = text(given["renew_email_subject"])
    return found


@dataclass(frozen=True, slots=True)
class RegistrationConfig:
    """Registration, its conditions, and rooms joined at once."""

    enable_registration: bool = setting(False, boolean, "Let people make accounts themselves.")
    enable_registration_without_verification: bool = setting(
        False,
        boolean,
        "Allow it without a token, email, phone number or captcha. Spammers find such servers within days.",
    )
    registration_requires_token: bool = setting(
        False, boolean, "Ask for a registration token, made by an administrator."
    )
    registration_shared_secret: str | None = setting(
        None,
        text,
        "Whoever knows it can make accounts, administrators too, even where registration is closed. "
        "Made at first start where no config file is.",
        secret=True,
    )
    registrations_require_3pid: tuple[str, ...] = setting(
        [], list_of(choice("email", "msisdn")), "What a new account must prove: email, msisdn."
    )
    registration_requires_stages: tuple[str, ...] = setting(
        [],
        list_of(text),
        "Stages of interactive authentication, added by plugins, that a new account must pass as well.",
        example=["org.example.question"],
    )
    disable_msisdn_registration: bool = setting(False, boolean, "Never ask for a phone number.")
    allowed_local_3pids: tuple[Mapping[str, Any], ...] = setting(
        [], list_of(mapping), "Addresses allowed for accounts: a list of mappings with medium and pattern."
    )
    inhibit_user_in_use_error: bool = setting(False, boolean, "Do not say at registration that a name is taken.")
    allow_guest_access: bool = setting(False, boolean, "Let clients in without an account, as guests.")
    enable_3pid_lookup: bool = setting(True, boolean, "Let users look others up by email or phone number.")
    enable_3pid_changes: bool = setting(True, boolean, "Let users change their email addresses and phone numbers.")
    enable_set_displayname: bool = setting(True, boolean, "Let users change their display names.")
    enable_set_avatar_url: bool = setting(True, boolean, "Let users change their avatars.")
    account_threepid_delegates_msisdn: str | None = setting(
        None, text, "Identity server that sends text messages for us.", key="account_threepid_delegates.msisdn"
    )
    account_threepid_delegates_email: str | None = setting(
        None, text, "Accepted for compatibility; mail is sent by this server.", key="account_threepid_delegates.email"
    )
    default_identity_server: str | None = setting(None, text, "Identity server that clients are told to use.")
    auto_join_rooms: tuple[str, ...] = setting(
        [], list_of(text), "Rooms that each new user joins.", example=["#welcome:example.com"]
    )
    autocreate_auto_join_rooms: bool = setting(True, boolean, "Make those rooms where they do not exist.")
    autocreate_auto_join_rooms_federated: bool = setting(True, boolean, "Whether users of other servers may join them.")
    autocreate_auto_join_room_preset: str = setting(
        "public_chat", choice("public_chat", "private_chat", "trusted_private_chat"), "Kind of room made for them."
    )
    auto_join_mxid_localpart: str | None = setting(None, text, "User who makes them and invites to private ones.")
    auto_join_rooms_for_guests: bool = setting(True, boolean, "Whether guests join them too.")
    enable_registration_captcha: bool = setting(False, boolean, "Ask for a captcha at registration.")
    recaptcha_public_key: str | None = setting(None, text, "The captcha's public key.")
    recaptcha_private_key: str | None = setting(None, text, "The captcha's private key.", secret=True)
    recaptcha_siteverify_api: str = setting(
        "https://www.recaptcha.net/recaptcha/api/siteverify", text, "Address at which captchas are verified."
    )
    user_consent: Mapping[str, Any] = setting(
        {}, mapping, "Terms that users must agree to: template_dir, version, require_at_registration, policy_name."
    )
    account_validity: Mapping[str, Any] = setting(
        {}, validity, "Expiry of accounts: enabled, period, renew_at, renew_email_subject."
    )
    request_token_inhibit_3pid_errors: bool = setting(
        False, boolean, "Do not say whether an address belongs to an account when a token is asked for."
    )
    next_link_domain_whitelist: tuple[str, ...] | None = setting(
        None, list_of(text), "Domains a link in a validation mail may lead to; unset, all."
    )
    invalid_3pid_session_lifetime: int = setting("1d", duration_ms, "How long an address validation stays open.")
    user_types: Mapping[str, Any] = setting(
        {}, user_types, "Kinds of users beside support and bot: default_user_type and extra_user_types."
    )

    @property
    def is_open(self) -> bool:
        """Whether anybody can make an account, with or without conditions."""
        return self.enable_registration

    @property
    def has_conditions(self) -> bool:
        """Whether something stands between a stranger and an account."""
        return bool(
            self.registration_requires_token
            or self.registrations_require_3pid
            or self.enable_registration_captcha
            or self.registration_requires_stages
        )
