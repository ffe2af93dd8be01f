"""The default mail transport: SMTP, with the server and the TLS mode that the configuration names."""

from plugins.smtp_mail.plugin import SmtpMail

__all__ = ["SmtpMail"]
