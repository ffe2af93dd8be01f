"""Accounts that live elsewhere: here, in the configuration."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from typing import Any

from core.hooks import (
    PASSWORD_REFUSED,
    LoginType,
    MediaPolicy,
    PasswordAccepted,
    PasswordVerdict,
    PluginApi,
    RateLimitOverride,
    UserId,
    hookimpl,
)

BADGE = "org.example.login.badge"


class Accounts:
    """`passwords`, `badges`, `expired` and `trusted` of the configuration, by localpart."""

    def __init__(self, config: Mapping[str, Any], api: PluginApi) -> None:
        self._server_name = api.server.server_name
        self._passwords: Mapping[str, str] = config.get("passwords", {})
        self._badges: Mapping[str, str] = config.get("badges", {})
        self._expired = frozenset(config.get("expired", ()))
        self._trusted = frozenset(config.get("trusted", ()))

    @hookimpl
    def check_password(self, user_id: UserId, password: str) -> PasswordVerdict | None:
        """Accept the listed password; leave accounts that are not listed to the others."""
        expected = self._passwords.get(_localpart(user_id))
        if expected is None:
            return None
        is_right = hmac.compare_digest(expected.encode(), password.encode())
        return PasswordAccepted(user_id) if is_right else PASSWORD_REFUSED

    @hookimpl
    def contribute_login_types(self) -> Sequence[LoginType]:
        """Login with the number on a badge."""
        return [LoginType(BADGE, ("badge",))]

    @hookimpl
    def check_login_type(self, login_type: str, fields: Mapping[str, Any]) -> PasswordVerdict | None:
        """Look the badge up."""
        if login_type != BADGE:
            return None
        owner = self._badges.get(str(fields["badge"]))
        return (
            PASSWORD_REFUSED
            if owner is None
            else PasswordAccepted(UserId(f"@{owner}:{self._server_name}"), owner.title())
        )

    @hookimpl
    def is_user_expired(self, user_id: str) -> bool | None:
        """Whether the account is on the list of expired ones."""
        return True if _localpart(user_id) in self._expired else None

    @hookimpl
    def username_for_registration(self, stages: Mapping[str, Any]) -> str | None:
        """The local part of the validated e-mail address, where there is one."""
        address = stages.get("m.login.email.identity", {}).get("address")
        return address.partition("@")[0] if address else None

    @hookimpl
    def displayname_for_registration(self, stages: Mapping[str, Any]) -> str | None:
        """As `username_for_registration`, with a capital."""
        name = self.username_for_registration(stages)
        return name.title() if name else None

    @hookimpl
    def ratelimit_override(self, user_id: str, limiter: str) -> RateLimitOverride | None:
        """Trusted users send without limit."""
        is_free = limiter == "rc_message" and _localpart(user_id) in self._trusted
        return RateLimitOverride(0, 0) if is_free else None

    @hookimpl
    def media_policy(self, user_id: str) -> MediaPolicy | None:
        """All but trusted users upload a megabyte at once."""
        return None if _localpart(user_id) in self._trusted else MediaPolicy(max_upload_bytes=1_000_000)


def _localpart(user_id: str) -> str:
    return user_id[1:].partition(":")[0]
