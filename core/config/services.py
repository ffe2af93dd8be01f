"""Outside services: mail, Redis, TURN, push gateways, application services."""

# ruff: noqa: RUF009 - setting() makes a dataclass field, which the rule cannot see
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.config.parsers import anything, boolean, duration_ms, integer, list_of, mapping, path, text
from core.config.settings import setting


@dataclass(frozen=True, slots=True)
class EmailConfig:
    """Outgoing mail."""

    smtp_host: str = setting("localhost", text, "Mail server.", key="email.smtp_host")
    smtp_port: int | None = setting(
        None, integer(1, 65535), "Its port; unset, 465 with force_tls, otherwise 25.", key="email.smtp_port"
    )
    smtp_user: str | None = setting(None, text, "User name there.", key="email.smtp_user")
    smtp_pass: str | None = setting(None, text, "Password there.", key="email.smtp_pass", secret=True)
    force_tls: bool = setting(False, boolean, "Use TLS from the first byte.", key="email.force_tls")
    require_transport_security: bool = setting(
        False, boolean, "Refuse to send without TLS.", key="email.require_transport_security"
    )
    enable_tls: bool = setting(True, boolean, "Use STARTTLS where it is offered.", key="email.enable_tls")
    tlsname: str | None = setting(None, text, "Name its certificate must have; unset, smtp_host.", key="email.tlsname")
    notif_from: str | None = setting(
        None, text, "Sender of mail; %(app)s is app_name. Unset, no mail is sent.", key="email.notif_from",
        example="Your friendly %(app)s homeserver <noreply@example.com>",
    )  # fmt: skip
    app_name: str = setting("Matrix", text, "What mails call this service.", key="email.app_name")
    enable_notifs: bool = setting(False, boolean, "Mail users about missed messages.", key="email.enable_notifs")
    notif_for_new_users: bool = setting(True, boolean, "Switch that on for new users.", key="email.notif_for_new_users")
    notif_delay_before_mail: int = setting(
        "10m", duration_ms, "How long a message is unread before.", key="email.notif_delay_before_mail"
    )
    client_base_url: str | None = setting(
        None, text, "Web client that links in mails lead to; unset, https://matrix.to.", key="email.client_base_url"
    )
    validation_token_lifetime: int = setting(
        "1h", duration_ms, "How long a link in a validation mail works.", key="email.validation_token_lifetime"
    )
    invite_client_location: str | None = setting(
        None, text, "Web client that invites by mail lead to.", key="email.invite_client_location"
    )
    subjects: Mapping[str, Any] = setting({}, mapping, "Subjects of mails, by kind.", key="email.subjects")


@dataclass(frozen=True, slots=True)
class RedisConfig:
    """Redis, for several workers, which this release does not have; nothing is connected to."""

    enabled: bool = setting(False, boolean, "Use Redis.", key="redis.enabled")
    host: str = setting("localhost", text, "Host name of the Redis server.", key="redis.host")
    port: int = setting(6379, integer(1, 65535), "Port of the Redis server.", key="redis.port")
    username: str | None = setting(None, text, "User name there.", key="redis.username")
    password: str | None = setting(None, text, "Password there.", key="redis.password", secret=True)
    dbid: int | None = setting(None, integer(), "Number of the database there.", key="redis.dbid")
    use_tls: bool = setting(False, boolean, "Connect with TLS.", key="redis.use_tls")
    certificate_file: str | None = setting(
        None, path, "Certificate shown to the Redis server.", key="redis.certificate_file"
    )
    private_key_file: str | None = setting(None, path, "Private key of our certificate.", key="redis.private_key_file")
    ca_file: str | None = setting(None, path, "Authority that its certificate is checked against.", key="redis.ca_file")
    # last, since the name hides the parser from the lines below it
    path: str | None = setting(None, path, "Its Unix socket, instead of host and port.", key="redis.path")


@dataclass(frozen=True, slots=True)
class VoipConfig:
    """Calls: TURN servers and the focus for group calls."""

    turn_uris: tuple[str, ...] = setting(
        [], list_of(text), "TURN servers.", example=["turn:turn.example.com?transport=udp"]
    )
    turn_shared_secret: str | None = setting(None, text, "Secret shared with them.", secret=True)
    turn_username: str | None = setting(None, text, "User name, where there is no shared secret.")
    turn_password: str | None = setting(None, text, "Password for it.", secret=True)
    turn_user_lifetime: int = setting("1h", duration_ms, "How long credentials given to clients work.")
    turn_allow_guests: bool = setting(True, boolean, "Whether guests get them.")
    matrix_rtc_transports: tuple[Mapping[str, Any], ...] = setting(
        [],
        list_of(mapping),
        "Transports for group calls: mappings with type and its own keys.",
        key="matrix_rtc.transports",
    )


@dataclass(frozen=True, slots=True)
class PushConfig:
    """Notifications to phones."""

    enabled: bool = setting(True, boolean, "Count unread messages and notify.", key="push.enabled")
    include_content: bool = setting(True, boolean, "Send what was written along.", key="push.include_content")
    group_unread_count_by_room: bool = setting(
        True, boolean, "The badge counts rooms, not messages.", key="push.group_unread_count_by_room"
    )
    jitter_delay: int | None = setting(
        None, duration_ms, "Delay notifications by up to so long, to hide who talks to whom.", key="push.jitter_delay"
    )


@dataclass(frozen=True, slots=True)
class AppservicesConfig:
    """Bridges and bots registered by file."""

    app_service_config_files: tuple[str, ...] = setting([], list_of(path), "Registration files, one each.")
    track_appservice_user_ips: bool = setting(False, boolean, "Remember addresses of bridged users.")
    use_appservice_legacy_authorization: Any = setting(
        False, boolean, "Also send the token as a query parameter, for old bridges."
    )
    notify_appservices: Any = setting(True, anything, "Accepted for compatibility; they are always notified.")
