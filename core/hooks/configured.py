"""Loads the plugins that a configuration asks for; the server and `hsctl` do it alike."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry

from core.config.model import Config
from core.hooks.api import PluginApi
from core.hooks.loading import load_plugins
from core.hooks.manager import PluginManager

_SMTP_KEYS = (
    "smtp_host",
    "smtp_port",
    "smtp_user",
    "smtp_pass",
    "force_tls",
    "require_transport_security",
    "enable_tls",
    "tlsname",
    "notif_from",
    "app_name",
)


def load_configured(
    config: Config, *, api_for: Callable[[str], PluginApi], registry: CollectorRegistry | None = None
) -> PluginManager:
    """As `load_plugins`, with what `homeserver.yaml` says about plugins; the first-party ones get its older keys."""
    return load_plugins(
        config.plugins.modules,
        api_for=api_for,
        disabled=config.plugins.disabled_plugins,
        defaults={
            "bcrypt_passwords": {"rounds": config.auth.bcrypt_rounds, "pepper": config.auth.password_pepper},
            "smtp_mail": {key: getattr(config.email, key) for key in _SMTP_KEYS},
            "filesystem_media": {"path": config.media.media_store_path},
            "message_search": {"enabled": config.rooms.enable_search},
            "presence": {
                "enabled": config.presence.mode,
                "include_offline": config.presence.include_offline_users_on_sync,
            },
            "user_directory": {
                "enabled": config.user_directory.enabled,
                "search_all_users": config.user_directory.search_all_users,
                "prefer_local_users": config.user_directory.prefer_local_users,
                "exclude_remote_users": config.user_directory.exclude_remote_users,
            },
        },
        registry=registry,
    )
