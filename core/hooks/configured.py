"""Loads the plugins that a configuration asks for; the server and `hsctl` do it alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from core.config.model import Config
from core.hooks.api import PluginApi
from core.hooks.loading import load_plugins
from core.hooks.manager import PluginManager

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

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
        disabled=[*config.plugins.disabled_plugins, *_unneeded(config)],
        defaults={
            "account_validity": config.registration.account_validity,
            "bcrypt_passwords": {"rounds": config.auth.bcrypt_rounds, "pepper": config.auth.password_pepper},
            "smtp_mail": {key: getattr(config.email, key) for key in _SMTP_KEYS},
            "filesystem_media": {
                "path": config.media.media_store_path,
                "is_current": config.media.enable_media_repo and config.media.media_backend == "filesystem",
            },
            "house_rules": _house_rules(config),
            "message_search": {"enabled": config.rooms.enable_search},
            "presence": {
                "enabled": config.presence.mode,
                "include_offline": config.presence.include_offline_users_on_sync,
            },
            "url_previews": _of_previews(config),
            "user_directory": {
                "enabled": config.user_directory.enabled,
                "search_all_users": config.user_directory.search_all_users,
                "prefer_local_users": config.user_directory.prefer_local_users,
                "exclude_remote_users": config.user_directory.exclude_remote_users,
                "show_locked_users": config.user_directory.show_locked_users,
            },
        },
        registry=registry,
    )


def _of_previews(config: Config) -> dict[str, Any]:
    """What the configuration says of link previews; where it closes no addresses for them, `ip_range_blacklist` holds."""
    previews, outside = config.url_previews, config.federation
    opened = list(previews.ip_range_whitelist)
    if previews.ip_range_blacklist is None:
        closed, opened = outside.ip_range_blacklist, [*outside.ip_range_whitelist, *opened]
    else:
        closed = previews.ip_range_blacklist
    return {
        "enabled": previews.enabled,
        "closed_ranges": [str(network) for network in closed],
        "open_ranges": [str(network) for network in opened],
        "url_blacklist": previews.url_blacklist,
        "accept_language": previews.accept_language,
        "max_spider_size": previews.max_spider_size,
        "oembed": previews.oembed,
    }


def _house_rules(config: Config) -> dict[str, Any]:
    rooms = config.rooms
    return {
        "alias_creation_rules": rooms.alias_creation_rules,
        "room_list_publication_rules": rooms.room_list_publication_rules,
        "block_non_admin_invites": rooms.block_non_admin_invites,
    }


def _unneeded(config: Config) -> list[str]:
    """First-party plugins that would have nothing to do, and that no entry of `modules` asks for."""
    idle = {
        "account_validity": not config.registration.account_validity,
        "house_rules": all(value in (None, False) for value in _house_rules(config).values()),
    }
    named = [module.module for module in config.plugins.modules]
    return [
        name
        for name, is_idle in idle.items()
        if is_idle and not any(module.startswith((name, f"plugins.{name}")) for module in named)
    ]
