"""The `PluginApi` that plugins hold, made before the services behind it are.

Plugins are constructed first: their tables, consumers and blueprints are part of what the server is built from. So the
facade each one gets is empty until the composition root wires it, and says so when it is used too early.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from core.errors import Unavailable
from core.hooks.api import (
    Federation,
    Gate,
    Http,
    Media,
    PluginApi,
    Rooms,
    ServerFacts,
    Sync,
    Tables,
    Users,
    Work,
)
from core.hooks.declarations import Mail
from core.hooks.errors import PluginError

_Facade = TypeVar("_Facade")


@dataclass(frozen=True, slots=True)
class Services:
    """What one plugin can reach once the server is built; None for what this server does not have."""

    gate: Gate | None = None
    tables: Tables | None = None
    rooms: Rooms | None = None
    users: Users | None = None
    http: Http | None = None
    sync: Sync | None = None
    federation: Federation | None = None
    media: Media | None = None
    work: Work | None = None
    send_mail: Callable[[Mail], None] | None = None
    catch_up: Callable[[str, float], bool] | None = None


class LateApi(PluginApi):
    """A plugin's view of a server that may not be built yet. Everything raises PluginError until it is wired."""

    def __init__(self, name: str, server: ServerFacts) -> None:
        self._name = name
        self._server = server
        self._log = logging.getLogger(f"trellis.plugin.{name}")
        self._services = Services()
        self._is_wired = False

    def wire(self, services: Services) -> None:
        """Open the facades. Called once, before `server_started`."""
        self._services = services
        self._is_wired = True

    @property
    def name(self) -> str:
        """The plugin's name."""
        return self._name

    @property
    def server(self) -> ServerFacts:
        """What the plugin may know of the configuration."""
        return self._server

    @property
    def log(self) -> logging.Logger:
        """The plugin's own logger."""
        return self._log

    @property
    def gate(self) -> Gate:
        """Authentication and limits. Endpoints hold `api`, not `api.gate`: they are made before it is wired."""
        return self._wired("gate", self._services.gate)

    @property
    def tables(self) -> Tables:
        """The plugin's own tables."""
        return self._wired("tables", self._services.tables)

    @property
    def rooms(self) -> Rooms:
        """Rooms this server is in."""
        return self._wired("rooms", self._services.rooms)

    @property
    def users(self) -> Users:
        """Accounts and profiles."""
        return self._wired("users", self._services.users)

    @property
    def http(self) -> Http:
        """The door to other machines."""
        return self._wired("http", self._services.http)

    @property
    def sync(self) -> Sync:
        """Wakes waiting syncs."""
        return self._wired("sync", self._services.sync)

    @property
    def federation(self) -> Federation:
        """Transient messages to other servers."""
        return self._wired("federation", self._services.federation)

    @property
    def media(self) -> Media:
        """The media repository."""
        return self._wired("media", self._services.media)

    @property
    def work(self) -> Work:
        """Work outside a request."""
        return self._wired("work", self._services.work)

    def send_mail(self, mail: Mail) -> None:
        """Send mail by the transport in force. Raises Unavailable where there is none."""
        if self._is_wired and self._services.send_mail is None:
            raise Unavailable("This server sends no mail.")
        self._wired("send_mail", self._services.send_mail)(mail)

    def catch_up(self, consumer: str, seconds: float) -> bool:
        """Wait for one of the plugin's consumers."""
        return self._wired("catch_up", self._services.catch_up)(consumer, seconds)

    def _wired(self, what: str, facade: _Facade | None) -> _Facade:
        if facade is not None:
            return facade
        if not self._is_wired:
            raise PluginError(f"The plugin {self._name} used api.{what} before server_started, or outside the server.")
        raise PluginError(f"The plugin {self._name} used api.{what}, which this server does not have.")
