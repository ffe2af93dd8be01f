"""What everything stands on: the database, the plugins, the rate limits, the signing key."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.api.metrics import metrics_registry
from core.config import Config
from core.config.keys import read_signing_keys
from core.config.model import registry as settings_registry
from core.config.model import section_values
from core.config.parsers import Rate
from core.events.signatures import SigningKey
from core.hooks.api import ServerFacts
from core.hooks.configured import load_configured
from core.hooks.facade import LateApi
from core.hooks.manager import PluginManager
from core.hooks.specs import contributions
from core.ids import ServerName
from core.storage.configured import settings_from
from core.storage.migrations.migrating import Migration
from core.storage.opening import Storage, open_storage
from core.storage.plugin_tables import plugin_migration
from core.sync.activity import Activity
from core.web.rate_limits import RateLimits
from core.wiring.limit_overrides import LimitOverrides

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

OWNER_WAIT_SECONDS = 30.0
"""How long a worker waits for the one before it, at a reload, to let go of the database."""


@dataclass(frozen=True, slots=True)
class Ground:
    """The open ground."""

    config: Config
    server_name: ServerName
    storage: Storage
    plugins: PluginManager
    apis: Mapping[str, LateApi]
    """The facade of each plugin, to be wired once the services exist."""
    limits: RateLimits
    signing_key: SigningKey
    registry: CollectorRegistry | None
    """None where metrics are neither collected nor served."""
    activity: Activity
    """Hears what users do."""


def build_ground(config: Config) -> Ground:
    """Load the plugins and open the database. Raises ConfigError, PluginError, SchemaError, DatabaseInUse."""
    registry = metrics_registry() if _has_metrics(config) else None
    apis: dict[str, LateApi] = {}
    facts = ServerFacts(ServerName(config.server_name), config.server.public_baseurl)

    def api_for(name: str) -> LateApi:
        apis[name] = LateApi(name, facts)
        return apis[name]

    plugins = load_configured(config, api_for=api_for, registry=registry)
    key_id, seed = read_signing_keys(config.keys)[0]
    signing_key = SigningKey(key_id, seed)
    storage = open_storage(
        settings_from(config.database),
        config.server_name,
        OWNER_WAIT_SECONDS,
        _plugin_migrations(config, plugins),
        master=os.getppid(),
    )
    return Ground(
        config,
        ServerName(config.server_name),
        storage,
        plugins,
        apis,
        RateLimits(limits_of(config), LimitOverrides(plugins)),
        signing_key,
        registry,
        Activity(plugins),
    )


def _has_metrics(config: Config) -> bool:
    served = any("metrics" in listener.resources for listener in config.listeners.listeners)
    return served or config.server.enable_metrics


def limits_of(config: Config) -> dict[str, tuple[float, float]]:
    """Every `rc_*` setting by its dotted key: (per_second, burst_count)."""
    values = section_values(config, "ratelimits")
    limits = {
        key: (rate.per_second, float(rate.burst_count))
        for key, setting in settings_registry().items()
        if setting.section == "ratelimits" and isinstance(rate := values[setting.field], Rate)
    }
    fetched = config.ratelimits
    limits["remote_media_download"] = (
        float(fetched.remote_media_download_per_second),
        float(fetched.remote_media_download_burst_count),
    )
    limits.setdefault("rc_admin_redaction", limits["rc_message"])
    return limits


def _plugin_migrations(config: Config, plugins: PluginManager) -> dict[str, list[Migration]]:
    engine = "sqlite" if config.database.name == "sqlite" else "mysql"
    found: dict[str, list[Migration]] = {}
    for contribution in plugins.contributions(contributions.contribute_tables):
        tables = contribution.item
        found[f"plugin:{tables.name}"] = [
            plugin_migration(m.number, tables.name, m.for_engine(engine)) for m in tables.migrations
        ]
    return found
