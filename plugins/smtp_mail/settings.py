"""What the plugin is told: where mail goes, and whom it is from."""

from __future__ import annotations

from dataclasses import dataclass


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

    @property
    def sender(self) -> str:
        """The From header, the name of the app put in."""
        return (self.notif_from or "").replace("%(app)s", self.app_name)
