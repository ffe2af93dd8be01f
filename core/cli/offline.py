"""The accounts part without a server around it, for commands: it owns the database while it is open.

Where the server is running the database is its own, and the sentence of the error says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from core.accounts.administration import Administration
from core.accounts.passwords import Passwords
from core.accounts.registration import Registration
from core.accounts.sessions import Sessions
from core.config import Config
from core.config.database import DatabaseConfig
from core.errors import Unavailable
from core.hooks.api import ServerFacts
from core.hooks.errors import PluginError
from core.hooks.facade import LateApi
from core.hooks.loading import load_plugins
from core.hooks.manager import PluginManager
from core.hooks.specs import observers
from core.ids import ServerName
from core.storage.access_tokens import AccessTokenStore
from core.storage.connections import MysqlSettings, SqliteSettings
from core.storage.database import Settings
from core.storage.devices import DeviceStore
from core.storage.migrations import SchemaError
from core.storage.opening import Storage, open_storage
from core.storage.owning import DatabaseInUse
from core.storage.profiles import ProfileStore
from core.storage.registration_tokens import RegistrationTokenStore
from core.storage.users import UserStore

WAIT_SECONDS = 1.0
"""How long a command waits for another owner of the database to go."""


@dataclass(frozen=True, slots=True)
class Offline:
    """The parts that commands use."""

    server_name: ServerName
    users: UserStore
    profiles: ProfileStore
    devices: DeviceStore
    tokens: RegistrationTokenStore
    administration: Administration
    storage: Storage


@contextmanager
def offline(config: Config) -> Iterator[Offline]:
    """Open the database and build the accounts part on it, for the length of the block.

    Raises: `Unavailable`, with a sentence, where the server is running or the database cannot be used.
    """
    plugins = plugins_of(config)
    name = ServerName(config.server.server_name)
    try:
        storage = open_storage(database_settings(config.database), name, WAIT_SECONDS)
    except (DatabaseInUse, SchemaError) as error:
        raise Unavailable(str(error)) from error
    try:
        yield _build(config, name, storage, plugins)
    finally:
        plugins.tell(observers.server_stopping)
        storage.close()


def plugins_of(config: Config) -> PluginManager:
    """The configured plugins, with facades that reach nothing. Raises: `Unavailable` for one that cannot be loaded."""
    facts = ServerFacts(ServerName(config.server.server_name), config.server.public_baseurl)
    bcrypt = {"rounds": config.auth.bcrypt_rounds, "pepper": config.auth.password_pepper}
    try:
        return load_plugins(
            [{"module": entry.module, "config": entry.config} for entry in config.plugins.modules],
            api_for=lambda name: LateApi(name, facts),
            disabled=config.plugins.disabled_plugins,
            defaults={"bcrypt_passwords": bcrypt},
        )
    except PluginError as error:
        raise Unavailable(str(error)) from error


def database_settings(database: DatabaseConfig) -> Settings:
    """What the configuration says of the database, as storage wants it."""
    if database.name == "sqlite":
        return SqliteSettings(Path(database.path), database.synchronous)
    args = database.args
    ssl = args.get("ssl") or {}
    return MysqlSettings(
        database=args.get("database", "trellis"),
        user=args.get("user", "trellis"),
        password=args.get("password", ""),
        host=args.get("host", "127.0.0.1"),
        port=int(args.get("port", 3306)),
        unix_socket=args.get("unix_socket"),
        pool_size=database.pool_size,
        ssl_ca=ssl.get("ca"),
    )


def _build(config: Config, name: ServerName, storage: Storage, plugins: PluginManager) -> Offline:
    database, writer = storage.database, storage.writer
    users, profiles, devices = UserStore(database), ProfileStore(database), DeviceStore(database)
    tokens = RegistrationTokenStore(database)
    sessions = Sessions(devices, AccessTokenStore(database), writer, config.auth)
    registration = Registration(name, users, profiles, tokens, sessions, storage.interner, writer, plugins)
    passwords = Passwords(users, writer, plugins, config.auth)
    administration = Administration(users, registration, passwords, sessions, writer, plugins)
    return Offline(name, users, profiles, devices, tokens, administration, storage)
