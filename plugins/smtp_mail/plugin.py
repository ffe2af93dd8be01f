"""One connection a mail: few mails are sent, and a connection that is kept is one more thing that breaks.

The message is composed by Python's own `email` package, which refuses line breaks in headers.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, fields
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, make_msgid, parseaddr
from typing import Any

from core.hooks import Mail, PluginApi, PluginError, hookimpl

TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class SmtpSettings:
    """Where mail goes. Without `notif_from` there is no transport."""

    smtp_host: str = "localhost"
    smtp_port: int | None = None
    smtp_user: str | None = None
    smtp_pass: str | None = None
    force_tls: bool = False
    require_transport_security: bool = False
    enable_tls: bool = True
    tlsname: str | None = None
    notif_from: str | None = None
    app_name: str = "Matrix"

    @property
    def port(self) -> int:
        """The port, by the TLS mode where none is given."""
        return self.smtp_port or (465 if self.force_tls else 25)


class NotSecured(Exception):
    """TLS is required, and the mail server does not offer it."""


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
            sender = _sender(settings)
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
        settings = self._settings
        message = self._message(mail)
        with self._connect() as server:
            if settings.smtp_user is not None:
                server.login(settings.smtp_user, settings.smtp_pass or "")
            server.send_message(message, parseaddr(_sender(settings))[1], [mail.to])

    def _connect(self) -> smtplib.SMTP:
        settings, context = self._settings, _context(self._settings.tlsname)
        where = (settings.smtp_host, settings.port)
        name = self._domain if _is_plain(self._domain) else socket.gethostname()
        if settings.force_tls:
            return smtplib.SMTP_SSL(*where, local_hostname=name, timeout=TIMEOUT_SECONDS, context=context)
        server = smtplib.SMTP(*where, local_hostname=name, timeout=TIMEOUT_SECONDS)
        try:
            server.ehlo()
            if settings.enable_tls and server.has_extn("starttls"):
                server.starttls(context=context)
                server.ehlo()
            elif settings.require_transport_security:
                raise NotSecured(f"{settings.smtp_host} does not offer TLS, and the configuration requires it")
        except BaseException:
            server.close()
            raise
        return server

    def _message(self, mail: Mail) -> EmailMessage:
        message = EmailMessage(policy=SMTP)
        message["From"] = _sender(self._settings)
        message["To"] = mail.to
        message["Subject"] = mail.subject
        message["Date"] = formatdate(localtime=False)
        message["Message-ID"] = make_msgid(domain=self._domain)
        message["Auto-Submitted"] = "auto-generated"
        for name, value in mail.headers.items():
            message[name] = value
        message.set_content(mail.text)
        if mail.html is not None:
            message.add_alternative(mail.html, subtype="html")
        return message


class _NamedContext(ssl.SSLContext):
    """A context whose connections expect one fixed name in the certificate."""

    name: str

    def wrap_socket(self, sock: Any, *args: Any, **kwargs: Any) -> Any:
        """As the base class, with our name in place of the host's."""
        return super().wrap_socket(sock, *args, **{**kwargs, "server_hostname": self.name})


def _context(tlsname: str | None) -> ssl.SSLContext:
    if tlsname is None:
        return ssl.create_default_context()
    context = _NamedContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_default_certs()
    context.name = tlsname
    return context


def _sender(settings: SmtpSettings) -> str:
    return (settings.notif_from or "").replace("%(app)s", settings.app_name)


def _is_plain(domain: str) -> bool:
    return domain.isascii() and not domain.startswith("[")
