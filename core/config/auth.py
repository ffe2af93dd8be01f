"""Passwords, sessions, tokens and other ways to sign in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.config.parsers import boolean, choice, duration_ms, either, integer, list_of, mapping, text
from core.config.settings import setting


@dataclass(frozen=True, slots=True)
class AuthConfig:
    """How users prove who they are, and for how long."""

    password_enabled: bool | str = setting(
        True,
        either(boolean, choice("only_for_reauth")),
        "Login with a password; only_for_reauth keeps it for confirming, not for signing in.",
        key="password_config.enabled",
    )
    password_localdb_enabled: bool = setting(
        True, boolean, "Check passwords against this server's own database.", key="password_config.localdb_enabled"
    )
    password_pepper: str = setting(
        "",
        text,
        "Added to every password before hashing. Changing it makes all existing passwords wrong.",
        key="password_config.pepper",
        secret=True,
    )
    password_policy: Mapping[str, Any] = setting(
        {},
        mapping,
        "What a new password must have: enabled, minimum_length, require_digit, require_symbol, require_lowercase, "
        "require_uppercase.",
        key="password_config.policy",
    )
    bcrypt_rounds: int = setting(12, integer(4, 31), "Cost of a password hash; each step doubles it.")
    session_lifetime: int | None = setting(None, duration_ms, "How long a login lasts; unset, for ever.", example="30d")
    refreshable_access_token_lifetime: int = setting(
        "5m", duration_ms, "How long an access token lasts that comes with a refresh token."
    )
    refresh_token_lifetime: int | None = setting(
        None, duration_ms, "How long an unused refresh token lasts; unset, for ever."
    )
    nonrefreshable_access_token_lifetime: int | None = setting(
        None, duration_ms, "How long an access token lasts without a refresh token; unset, as session_lifetime."
    )
    ui_auth_session_timeout: int = setting(
        0, duration_ms, "How long a confirmed password counts for further confirmations.", key="ui_auth.session_timeout"
    )
    login_via_existing_session: Mapping[str, Any] = setting(
        {}, mapping, "Let a session sign another one in: enabled, require_ui_auth, token_timeout."
    )
    delete_stale_devices_after: int | None = setting(
        None, duration_ms, "Remove sessions not seen for so long; unset, never.", example="1y"
    )
    max_devices_per_user: int = setting(1000, integer(1), "Most sessions one account may have.")
    macaroon_secret_key: str | None = setting(
        None, text, "Accepted for compatibility; tokens are random numbers. Made at first start.", secret=True
    )
    form_secret: str | None = setting(None, text, "Signs values in forms. Made at first start.", secret=True)
    oidc_providers: tuple[Mapping[str, Any], ...] = setting(
        [], list_of(mapping), "OpenID Connect providers to sign in with."
    )
    sso: Mapping[str, Any] = setting({}, mapping, "Single sign-on: client_whitelist, update_profile_information.")
    cas_config: Mapping[str, Any] = setting({}, mapping, "Sign-in with a CAS server.")
    saml2_config: Mapping[str, Any] = setting({}, mapping, "Sign-in with SAML 2.")
    jwt_config: Mapping[str, Any] = setting({}, mapping, "Sign-in with JSON web tokens: enabled, secret, algorithm.")
    matrix_authentication_service: Mapping[str, Any] = setting(
        {}, mapping, "Delegate sign-in to a Matrix Authentication Service."
    )
