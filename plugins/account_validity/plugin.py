"""Accounts that expire after a while, and can be renewed by a link in a mail or by an administrator.

Accounts older than the plugin get their time when they are first used under it. The endpoints are Synapse's.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from flask import Blueprint

from core.hooks import Job, Mail, NotFound, PluginApi, PluginError, TableSet, Unavailable, UserId, hookimpl
from plugins.account_validity import endpoints
from plugins.account_validity.tables import TABLES, Validity, ValidityTables

MAIL_SECONDS: Final = 1800.0
"""How often it is looked for accounts that are about to expire."""
_SETTINGS: Final = ("enabled", "period", "renew_at", "renew_email_subject")
_SUBJECT: Final = "Renew your account"


class AccountValidity:
    """The plugin. `period` and `renew_at` are in milliseconds."""

    def __init__(
        self, config: Mapping[str, Any], api: PluginApi, now_ms: Callable[[], int] = lambda: int(time.time() * 1000)
    ) -> None:
        for key in config:
            if key not in _SETTINGS:
                raise PluginError(f"account_validity has no setting {key}; there are {', '.join(_SETTINGS)}.")
        self._is_on, self._renew_at_ms = bool(config.get("enabled")), config.get("renew_at")
        period_ms = config.get("period", 0)
        if self._is_on and not (isinstance(period_ms, int) and period_ms > 0):
            raise PluginError("account_validity needs a period, after which an account expires.")
        self._period_ms = period_ms
        self._subject = str(config.get("renew_email_subject") or _SUBJECT)
        self._api = api
        self._tables = ValidityTables(api)
        self._now_ms = now_ms

    @hookimpl
    def contribute_tables(self) -> list[TableSet]:
        """When accounts expire."""
        return [TABLES]

    @hookimpl
    def contribute_blueprints(self) -> list[Blueprint]:
        """Renewing."""
        return [endpoints.blueprint(self._api, self)] if self._is_on else []

    @hookimpl
    def contribute_background_jobs(self) -> list[Job]:
        """The mails, where there is to be one."""
        is_mailing = self._is_on and self._renew_at_ms is not None
        return [Job("renewals", MAIL_SECONDS, self.send_mails)] if is_mailing else []

    @hookimpl
    def user_registered(self, user_id: UserId) -> None:
        """The time of a new account begins."""
        if self._is_on:
            self._begin(user_id)

    @hookimpl
    def is_user_expired(self, user_id: UserId) -> bool | None:
        """True once the time is over."""
        if not self._is_on:
            return None
        expires_ms = self._tables.expires_ms(user_id)
        if expires_ms is None:
            self._begin(user_id)
            return None
        return True if expires_ms <= self._now_ms() else None

    def send_mails(self) -> None:
        """Send a link to everybody whose account is about to expire and who has an address."""
        for validity in self._tables.to_be_mailed(self._now_ms() + (self._renew_at_ms or 0)):
            addresses = [
                address for medium, address in self._api.users.threepids(validity.user_id) if medium == "email"
            ]
            if not addresses:
                continue
            token = secrets.token_urlsafe(32)
            self._tables.put(Validity(validity.user_id, validity.expires_ms, token=token))
            try:
                for address in addresses:
                    self._api.send_mail(Mail(address, self._subject, self._letter(validity, token)))
            except Unavailable as error:
                self._api.log.warning("%s was not asked to renew the account: %s", validity.user_id, error)
                continue
            self._tables.put(Validity(validity.user_id, validity.expires_ms, was_mailed=True, token=token))

    def renew_by(self, token: str) -> UserId | None:
        """Renew the account that a token is for, and use it up; None where there is none."""
        user_id = self._tables.by_token(token)
        if user_id is not None:
            self._tables.put(Validity(user_id, self._now_ms() + self._period_ms))
        return user_id

    def set_validity(self, user_id: UserId, expires_ms: int | None, wants_mail: bool) -> int:
        """Set when an account expires, None for one period from now; returns it. Raises NotFound."""
        if not self._api.users.exists(user_id):
            raise NotFound(f"There is no account {user_id}.")
        found = self._now_ms() + self._period_ms if expires_ms is None else expires_ms
        self._tables.put(Validity(user_id, found, wants_mail))
        return found

    def _begin(self, user_id: UserId) -> None:
        self._tables.put(Validity(user_id, self._now_ms() + self._period_ms), only_new=True)

    def _letter(self, validity: Validity, token: str) -> str:
        server = self._api.server
        base = (server.public_baseurl or f"https://{server.server_name}/").rstrip("/")
        ends = time.strftime("%Y-%m-%d", time.gmtime(validity.expires_ms / 1000))
        return (
            f"Your account {validity.user_id} expires on {ends}.\n\nTo keep it, follow this link:\n\n"
            f"{base}{endpoints.RENEW}?token={token}\n"
        )
