"""The accounts part without a server around it, for commands: it owns the database while it is open.

Where the server is running the database is its own, and the sentence of the error says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from core.accounts.administration import Administration
from core.accounts.deactivation import Deactivation, Kept
from core.accounts.passwords import Passwords
from core.accounts.registration import Registration
from core.accounts.sessions import Sessions
from core.accounts.user_commands import UserCommands
from core.config import Config
from core.config.first_start import prepare
from core.control.commands import Command
from core.encryption.departures import DeviceDepartures
from core.errors import Unavailable
from core.hooks.api import ServerFacts
from core.hooks.configured import load_configured
from core.hooks.errors import PluginError
from core.hooks.facade import LateApi
from core.hooks.manager import PluginManager
from core.hooks.specs import observers
from core.ids import ServerName
from core.storage.access_tokens import AccessTokenStore
from core.storage.account_data import AccountDataStore
from core.storage.configured import settings_from
from core.storage.device_keys import DeviceKeyStore
from core.storage.devices import DeviceStore
from core.storage.login_tokens import LoginTokenStore
from core.storage.migrations import SchemaError
from core.storage.one_time_keys import OneTimeKeyStore
from core.storage.openid_tokens import OpenidTokenStore
from core.storage.opening import Storage, open_storage
from core.storage.owning import DatabaseInUse
from core.storage.profiles import ProfileStore
from core.storage.pushers import PusherStore
from core.storage.registration_tokens import RegistrationTokenStore
from core.storage.threepids import ThreepidStore
from core.storage.to_device import ToDeviceStore
from core.storage.users import UserStore


class ServerRunning(Unavailable):
    """The database is in use; the sentence says by which process."""


WAIT_SECONDS = 1.0
"""How long a command waits for another owner of the database to go."""


@dataclass(frozen=True, slots=True)
class Offline:
    """The parts that commands use."""

    server_name: ServerName
    users: UserStore
    tokens: RegistrationTokenStore
    administration: Administration
    commands: Mapping[str, Command]
    storage: Storage


@contextmanager
def offline(config: Config) -> Iterator[Offline]:
    """Open the database and build the accounts part on it, for the length of the block.

    Raises: `ServerRunning`, and `Unavailable` where the database cannot be used; `ConfigError`.
    """
    config = prepare(config)
    plugins = plugins_of(config)
    name = ServerName(config.server.server_name)
    try:
        storage = open_storage(settings_from(config.database), name, WAIT_SECONDS)
    except DatabaseInUse as error:
        raise ServerRunning(str(error)) from error
    except SchemaError as error:
        raise Unavailable(str(error)) from error
    try:
        yield _build(config, name, storage, plugins)
    finally:
        plugins.tell(observers.server_stopping)
        storage.close()


def plugins_of(config: Config) -> PluginManager:
    """The configured plugins, with facades that reach nothing. Raises: `Unavailable` for one that cannot be loaded."""
    facts = ServerFacts(ServerName(config.server.server_name), config.server.public_baseurl)
    try:
        return load_configured(config, api_for=lambda name: LateApi(name, facts))
    except PluginError as error:
        raise Unavailable(str(error)) from error


def _build(config: Config, name: ServerName, storage: Storage, plugins: PluginManager) -> Offline:
    database, writer = storage.database, storage.writer
    users, profiles = UserStore(database), ProfileStore(database)
    pushers = PusherStore(database)
    departures = DeviceDepartures(DeviceKeyStore(database), OneTimeKeyStore(database), ToDeviceStore(database))
    devices = DeviceStore(database, [departures.leave, pushers.remove_of_devices])
    tokens, threepids = RegistrationTokenStore(database), ThreepidStore(database, pushers.remove_of_address)
    sessions = Sessions(devices, AccessTokenStore(database), writer, config.auth)
    registration = Registration(name, users, profiles, tokens, sessions, storage.interner, writer, plugins)
    passwords = Passwords(users, writer, plugins, config.auth)
    kept = Kept(AccountDataStore(database), profiles, threepids, OpenidTokenStore(database), LoginTokenStore(database))
    deactivation = Deactivation(users, sessions, writer, plugins, kept)
    administration = Administration(users, registration, passwords, sessions, writer, deactivation)
    commands = UserCommands(name, users, profiles, devices, threepids, administration).commands()
    return Offline(name, users, tokens, administration, commands, storage)
