"""Features that plugins provide, whose settings keep the names administrators know; and the plugins themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.config.parsers import boolean, choice, duration_ms, either, list_of, mapping, text
from core.config.settings import setting


@dataclass(frozen=True, slots=True)
class PluginModule:
    """One entry of `modules`: a dotted `module`, the `config` handed to it, and how patient the server is with it."""

    module: str
    config: Mapping[str, Any]
    observe_only: bool = False
    strikes: int | None = None
    off_seconds: float | None = None
    time_limits: Mapping[str, float] | None = None


_MODULE_KEYS = ("module", "config", "observe_only", "strikes", "off_seconds", "time_limits")


def plugin_module(value: Any) -> PluginModule:
    """One entry of `modules`. Whether hooks that `time_limits` names exist is seen when the plugins are loaded."""
    if not isinstance(value, Mapping) or not isinstance(value.get("module"), str) or not value["module"]:
        raise ValueError("a mapping with module (a dotted name) and config (a mapping)")
    name, unknown = value["module"], [str(key) for key in value if key not in _MODULE_KEYS]
    if unknown:
        raise ValueError(
            f"a mapping with no other keys than {', '.join(_MODULE_KEYS)}; that of {name} has {unknown[0]}"
        )
    limits = value.get("time_limits")
    for key, is_right, allowed in (
        ("config", isinstance(value.get("config") or {}, Mapping), "a mapping"),
        ("observe_only", isinstance(value.get("observe_only") or False, bool), "true or false"),
        ("strikes", _is_above_zero(value.get("strikes", 1), int), "a whole number of at least 1"),
        ("off_seconds", _is_above_zero(value.get("off_seconds", 1), int, float), "a number of seconds above 0"),
        (
            "time_limits",
            limits is None
            or (isinstance(limits, Mapping) and all(_is_above_zero(limit, int, float) for limit in limits.values())),
            "a mapping of hook names to seconds above 0",
        ),
    ):
        if not is_right:
            raise ValueError(f"a mapping (here for {name}) whose {key} is {allowed}")
    return PluginModule(
        name,
        mapping(value.get("config") or {}),
        bool(value.get("observe_only")),
        value.get("strikes"),
        value.get("off_seconds"),
        limits,
    )


def _is_above_zero(value: Any, *kinds: type) -> bool:
    if value is None:
        return True
    return isinstance(value, kinds) and not isinstance(value, bool) and float(value) > 0  # type: ignore[arg-type]  # a number


@dataclass(frozen=True, slots=True)
class PluginsConfig:
    """Which plugins run, and with what settings."""

    modules: tuple[PluginModule, ...] = setting(
        [],
        list_of(plugin_module),
        "Plugins to load or to configure: mappings with module, config, and of observe_only, strikes, off_seconds, time_limits.",
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
    statistics_window: int = setting("1d", duration_ms, "Span of one entry of the statistics.")
