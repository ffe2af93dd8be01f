"""`Config`: every section together, as load_config makes it and app.py hands it round."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from types import MappingProxyType
from typing import Any

from core.config.auth import AuthConfig
from core.config.database import DatabaseConfig
from core.config.features import PluginsConfig, PresenceConfig, StatsConfig, UserDirectoryConfig
from core.config.federation import FederationConfig
from core.config.keys import KeysConfig
from core.config.listeners import ListenersConfig
from core.config.logs import LoggingConfig
from core.config.media import MediaConfig, UrlPreviewConfig
from core.config.ratelimits import RatelimitsConfig
from core.config.registration import RegistrationConfig
from core.config.rooms import RoomsConfig
from core.config.server import ServerConfig
from core.config.services import AppservicesConfig, EmailConfig, PushConfig, RedisConfig, VoipConfig
from core.config.settings import Setting, settings_of
from core.config.workers import CachesConfig, WorkersConfig

SECTIONS: Mapping[str, type] = MappingProxyType(
    {
        "server": ServerConfig,
        "listeners": ListenersConfig,
        "database": DatabaseConfig,
        "logging": LoggingConfig,
        "registration": RegistrationConfig,
        "auth": AuthConfig,
        "rooms": RoomsConfig,
        "keys": KeysConfig,
        "federation": FederationConfig,
        "media": MediaConfig,
        "url_previews": UrlPreviewConfig,
        "ratelimits": RatelimitsConfig,
        "plugins": PluginsConfig,
        "presence": PresenceConfig,
        "user_directory": UserDirectoryConfig,
        "stats": StatsConfig,
        "push": PushConfig,
        "email": EmailConfig,
        "voip": VoipConfig,
        "appservices": AppservicesConfig,
        "redis": RedisConfig,
        "workers": WorkersConfig,
        "caches": CachesConfig,
    }
)
"""Attribute of `Config` to its dataclass, in the order of the reference."""


@dataclass(frozen=True, slots=True)
class Config:
    """All that `homeserver.yaml` says. `source` is the file read, or None; `warnings` are sentences about it.

    `Config()` is what holds where no file is.
    """

    server: ServerConfig = field(default_factory=ServerConfig)
    listeners: ListenersConfig = field(default_factory=ListenersConfig)
    database: DatabaseConfig = field(default_factory=DatabaseConfig)
    logging: LoggingConfig = field(default_factory=LoggingConfig)
    registration: RegistrationConfig = field(default_factory=RegistrationConfig)
    auth: AuthConfig = field(default_factory=AuthConfig)
    rooms: RoomsConfig = field(default_factory=RoomsConfig)
    keys: KeysConfig = field(default_factory=KeysConfig)
    federation: FederationConfig = field(default_factory=FederationConfig)
    media: MediaConfig = field(default_factory=MediaConfig)
    url_previews: UrlPreviewConfig = field(default_factory=UrlPreviewConfig)
    ratelimits: RatelimitsConfig = field(default_factory=RatelimitsConfig)
    plugins: PluginsConfig = field(default_factory=PluginsConfig)
    presence: PresenceConfig = field(default_factory=PresenceConfig)
    user_directory: UserDirectoryConfig = field(default_factory=UserDirectoryConfig)
    stats: StatsConfig = field(default_factory=StatsConfig)
    push: PushConfig = field(default_factory=PushConfig)
    email: EmailConfig = field(default_factory=EmailConfig)
    voip: VoipConfig = field(default_factory=VoipConfig)
    appservices: AppservicesConfig = field(default_factory=AppservicesConfig)
    redis: RedisConfig = field(default_factory=RedisConfig)
    workers: WorkersConfig = field(default_factory=WorkersConfig)
    caches: CachesConfig = field(default_factory=CachesConfig)
    source: str | None = None
    warnings: tuple[str, ...] = ()

    @property
    def server_name(self) -> str:
        """The server's name; short for `server.server_name`."""
        return self.server.server_name

    @property
    def public_baseurl(self) -> str:
        """The address clients use, with a slash at the end."""
        return self.server.public_baseurl or f"https://{self.server.server_name}/"


@cache
def registry() -> Mapping[str, Setting]:
    """Every setting by its dotted key."""
    return MappingProxyType({s.key: s for name, declared in SECTIONS.items() for s in settings_of(name, declared)})


def section_values(config: Config, section: str) -> dict[str, Any]:
    """Field to value of one section."""
    held = getattr(config, section)
    return {f.name: getattr(held, f.name) for f in fields(held)}
