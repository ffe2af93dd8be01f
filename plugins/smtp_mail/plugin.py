"""Mail goes out by SMTP, where a sender is configured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from email.utils import parseaddr
from typing import Any

from core.hooks import Mail, PluginApi, PluginError, hookimpl
from plugins.smtp_mail.settings import SmtpSettings


class SmtpMail:
    """Implements `contribute_mail_transport`, and is the transport."""

    def __init__(self, settings: SmtpSettings, api: PluginApi) -> None:
        self._settings = settings
        self._api = api

    @staticmethod
    def parse_config(config: Mapping[str, Any]) -> SmtpSettings:
        """Check the plugin's configuration. Raises PluginError naming the key that is wrong."""
        allowed = [field.name for field in fields(SmtpSettings)]
        for key in config:
            if key not in allowed:
                raise PluginError(f"{key} is no setting of it; allowed are {', '.join(allowed)}")
        settings = SmtpSettings(**config)
        if settings.force_tls and not settings.enable_tls:
            raise PluginError("email.force_tls and email.enable_tls: false contradict each other")
        if settings.notif_from is not None:
            sender = settings.sender
            if not sender.isprintable() or "@" not in parseaddr(sender)[1]:
                raise PluginError(f"email.notif_from is {sender!r}; it must be like Name <name@example.com>")
        return settings

    @hookimpl
    def contribute_mail_transport(self) -> SmtpMail | None:
        """This, where a sender is configured."""
        return None if self._settings.notif_from is None else self

    @property
    def _domain(self) -> str:
        """The server's name without its port."""
        name = self._api.server.server_name
        return name.rpartition(":")[0] or name

    def send(self, mail: Mail) -> None:
        """Deliver one mail to the configured server. Raises whatever went wrong."""
        from plugins.smtp_mail.delivery import deliver  # brings smtplib and the mail formats: only where mail is sent

        deliver(mail, self._settings, self._domain)
