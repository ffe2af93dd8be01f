"""Features that plugins provide, whose settings keep the names administrators know; and the plugins themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.config.parsers import boolean, choice, duration_ms, either, list_of, mapping, text
from core.config.settings import setting


@dataclass(frozen=True, slots=True)
class PluginModule:
    """One entry of `modules`: a dotted `module` and the `config` handed to it."""

    module: str
    config: Mapping[str, Any]


def plugin_module(value: Any) -> PluginModule:
    """One entry of `modules`."""
    if (
        not isinstance(value, Mapping)
        or not isinstance(value.get("module"), str)
        or not value["module"]
        or set(value) - {"module", "config"}
        or not isinstance(value.get("config") or {}, Mapping)
    ):
        raise ValueError("a mapping with module (a dotted name) and config (a mapping)")
    return PluginModule(value["module"], mapping(value.get("config") or {}))


@dataclass(frozen=True, slots=True)
class PluginsConfig:
    """Which plugins run, and with what settings."""

    modules: tuple[PluginModule, ...] = setting(
        [], list_of(plugin_module), "Plugins to load besides the installed ones: mappings with module and config."
    )
    disabled_plugins: tuple[str, ...] = setting([], list_of(text), "Names of installed plugins that are not to run.")


@dataclass(frozen=True, slots=True)
class PresenceConfig:
    """Who is online."""

    enabled: bool | str = setting(
        True,
        either(boolean, choice("untracked")),
        "Show who is online; untracked only passes it on.",
        key="presence.enabled",
    )
    include_offline_users_on_sync: bool = setting(
        False,
        boolean,
        "Name those who are offline, too, in a first sync.",
        key="presence.include_offline_users_on_sync",
    )
    use_presence: bool | None = setting(None, boolean, "Older name of presence.enabled, which has precedence.")

    @property
    def mode(self) -> bool | str:
        """True, False, or "untracked"."""
        return False if self.enabled is True and self.use_presence is False else self.enabled


@dataclass(frozen=True, slots=True)
class UserDirectoryConfig:
    """Search for users."""

    enabled: bool = setting(True, boolean, "Let users search for others.", key="user_directory.enabled")
    search_all_users: bool = setting(
        False,
        boolean,
        "Find every user known, not only those in shared or public rooms.",
        key="user_directory.search_all_users",
    )
    prefer_local_users: bool = setting(
        False, boolean, "List users of this server first.", key="user_directory.prefer_local_users"
    )
    exclude_remote_users: bool = setting(
        False, boolean, "Leave users of other servers out.", key="user_directory.exclude_remote_users"
    )
    show_locked_users: bool = setting(False, boolean, "Show locked users, too.", key="user_directory.show_locked_users")


@dataclass(frozen=True, slots=True)
class StatsConfig:
    """Counts of rooms and users, and background work."""

    enabled: bool = setting(True, boolean, "Count rooms and users for the admin API.", key="stats.enabled")
    background_updates: Mapping[str, Any] = setting(
        {},
        mapping,
        "Pace of changes to old data: background_update_duration_ms, sleep_enabled, sleep_duration_ms, min_batch_size.",
    )
    statistics_window: int = setting("1d", duration_ms, "Span of one entry of the statistics.")
