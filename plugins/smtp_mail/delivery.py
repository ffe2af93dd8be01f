"""One connection a mail: few mails are sent, and a connection that is kept is one more thing that breaks.

The message is composed by Python's own `email` package, which refuses line breaks in headers.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, make_msgid, parseaddr
from typing import Any

from core.hooks import Mail
from plugins.smtp_mail.settings import SmtpSettings

TIMEOUT_SECONDS = 30.0


class NotSecured(Exception):
    """TLS is required, and the mail server does not offer it."""


def deliver(mail: Mail, settings: SmtpSettings, domain: str) -> None:
    """Hand one mail to the configured server, as a host of `domain`. Raises whatever went wrong."""
    message = _message(mail, settings, domain)
    with _connect(settings, domain) as server:
        if settings.smtp_user is not None:
            server.login(settings.smtp_user, settings.smtp_pass or "")
        server.send_message(message, parseaddr(settings.sender)[1], [mail.to])


def _connect(settings: SmtpSettings, domain: str) -> smtplib.SMTP:
    context = _context(settings.tlsname)
    where = (settings.smtp_host, settings.port)
    name = domain if _is_plain(domain) else socket.gethostname()
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


def _message(mail: Mail, settings: SmtpSettings, domain: str) -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    message["From"] = settings.sender
    message["To"] = mail.to
    message["Subject"] = mail.subject
    message["Date"] = formatdate(localtime=False)
    message["Message-ID"] = make_msgid(domain=domain)
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


def _is_plain(domain: str) -> bool:
    return domain.isascii() and not domain.startswith("[")
