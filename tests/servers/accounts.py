"""The accounts part alone, with its own database, served in this process: for tests that turn clock or settings."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

from werkzeug.test import Client, TestResponse

from core.accounts.access_tokens import AccessTokens
from core.accounts.account_data import AccountData
from core.accounts.administration import Administration
from core.accounts.auth_stages import DummyStage, PasswordStage, RegistrationTokenStage
from core.accounts.deactivation import Deactivation, Kept
from core.accounts.devices import Devices
from core.accounts.filters import Filters
from core.accounts.interactive_auth import InteractiveAuth
from core.accounts.last_seen import LastSeen
from core.accounts.login import Identifiers, Login, PasswordLogin
from core.accounts.passwords import Passwords
from core.accounts.profile_audience import ProfileAudience
from core.accounts.profiles import Profiles
from core.accounts.registering import Registering
from core.accounts.registration import Registration
from core.accounts.sessions import Sessions
from core.accounts.shared_secret import SharedSecret
from core.accounts.user_commands import UserCommands
from core.api.admin import register as admin_register
from core.api.client import account_data as account_data_api
from core.api.client import auth_fallback as auth_fallback_api
from core.api.client import capabilities as capabilities_api
from core.api.client import devices as devices_api
from core.api.client import filter as filter_api
from core.api.client import login as login_api
from core.api.client import logout as logout_api
from core.api.client import profile as profile_api
from core.api.client import registration as registration_api
from core.api.client import whoami as whoami_api
from core.config.auth import AuthConfig
from core.config.registration import RegistrationConfig
from core.hooks.api import ServerFacts
from core.hooks.facade import LateApi
from core.hooks.loading import load_plugins
from core.ids import ServerName
from core.storage.access_tokens import AccessTokenStore
from core.storage.account_data import AccountDataStore
from core.storage.auth_sessions import AuthSessionStore
from core.storage.connections import SqliteSettings
from core.storage.database import Database, Settings
from core.storage.devices import DeviceStore
from core.storage.filters import FilterStore
from core.storage.interning import Interner
from core.storage.log import LogReader, LogTail
from core.storage.login_tokens import LoginTokenStore
from core.storage.migrations import migrate
from core.storage.migrations.migrating import core_migrations
from core.storage.openid_tokens import OpenidTokenStore
from core.storage.profiles import ProfileStore
from core.storage.registration_tokens import RegistrationTokenStore
from core.storage.threepids import ThreepidStore
from core.storage.users import UserStore
from core.storage.writer import Writer
from core.web.factory import create_app
from core.web.gate import Gate
from core.web.rate_limits import RateLimits
from core.web.settings import WebSettings

NAME = ServerName("example.org")
SECRET = "shared"
LIMITS = (
    "rc_login.address",
    "rc_login.account",
    "rc_login.failed_attempts",
    "rc_registration",
    "rc_registration_token_validity",
    "rc_3pid_validation",
)


class Clock:
    """Milliseconds that pass when told to."""

    def __init__(self) -> None:
        self.ms = 1_700_000_000_000

    def __call__(self) -> int:
        """Now."""
        return self.ms


class Accounts:
    """Every service of the accounts part, and a client that speaks HTTP to it without a socket."""

    def __init__(
        self,
        folder: Path,
        auth: AuthConfig | None = None,
        registration: RegistrationConfig | None = None,
        database: Settings | None = None,
        limits: dict[str, tuple[float, float]] | None = None,
    ) -> None:
        self.clock = Clock()
        self.auth = auth or AuthConfig()
        self.config = registration or RegistrationConfig()
        self.database = Database(database or SqliteSettings(folder / "hs.db", "NORMAL"))
        migrate(self.database, core_migrations())
        self.tail = LogTail(LogReader(self.database).tip())
        self.writer = Writer(self.database, self.tail)
        self.writer.start()
        self.limits = RateLimits({name: (limits or {}).get(name, (1e6, 1e6)) for name in LIMITS})
        self.plugins = load_plugins(
            [{"module": "bcrypt_passwords", "config": {"rounds": 4}}],
            api_for=lambda name: LateApi(name, ServerFacts(NAME, None)),
            installed=(),
        )
        self.build()

    def build(self) -> None:
        """Make the services; called again, it is a restart with cold caches."""
        database, writer, clock = self.database, self.writer, self.clock
        self.interner = Interner(database, writer)
        self.users, self.devices = UserStore(database), DeviceStore(database)
        self.profile_store = ProfileStore(database)
        self.registration_tokens = RegistrationTokenStore(database)
        token_store = AccessTokenStore(database)
        self.last_seen = LastSeen(self.devices, writer, clock)
        self.tokens = AccessTokens(token_store, writer, self.last_seen, clock, plugins=self.plugins)
        self.tail.follow(self.tokens.follow)
        self.gate = Gate(self.tokens, self.limits)
        self.sessions = Sessions(self.devices, token_store, writer, self.auth, clock, self.plugins)
        self.registration = Registration(
            NAME,
            self.users,
            self.profile_store,
            self.registration_tokens,
            self.sessions,
            self.interner,
            writer,
            self.plugins,
            now_ms=clock,
        )
        self.passwords = Passwords(self.users, writer, self.plugins, self.auth)
        identifiers = Identifiers(NAME)
        self.token_stage = RegistrationTokenStage(self.registration_tokens, clock)
        stages = (DummyStage(), self.token_stage, PasswordStage(identifiers, self.passwords, self.limits))
        self.interactive = InteractiveAuth(stages, AuthSessionStore(database), writer, b"key", clock)
        methods = [PasswordLogin(identifiers, self.passwords, self.limits)]
        self.login = Login(methods, self.users, self.sessions, self.registration, self.plugins, NAME)
        self.registering = Registering(
            self.config,
            self.registration,
            self.interactive,
            self.passwords,
            self.users,
            self.sessions,
            self.tokens,
            self.plugins,
        )
        self.account_data_store = AccountDataStore(database)
        self.account_data = AccountData(self.account_data_store, writer, self.plugins)
        self.filters = Filters(FilterStore(database), writer)
        self.profiles = Profiles(NAME, self.users, self.profile_store, writer, self.plugins, self.config)
        self.tail.follow(self.profiles.follow)
        self.device_list = Devices(self.devices, self.last_seen, writer)
        kept = Kept(
            self.account_data_store,
            self.profile_store,
            ThreepidStore(database),
            OpenidTokenStore(database),
            LoginTokenStore(database),
        )
        self.deactivation = Deactivation(self.users, self.sessions, writer, self.plugins, kept)
        self.administration = Administration(
            self.users, self.registration, self.passwords, self.sessions, writer, self.deactivation
        )
        self.user_commands = UserCommands(
            NAME, self.users, self.profile_store, self.devices, ThreepidStore(database), self.administration
        )
        self.client = Client(create_app(self.blueprints(), WebSettings()))

    def blueprints(self) -> list:
        """Everything the part serves."""
        return [
            login_api.blueprint(self.login, self.sessions, self.gate, NAME),
            logout_api.blueprint(self.sessions, self.tokens),
            registration_api.blueprint(self.registering, self.token_stage, self.gate, NAME),
            whoami_api.blueprint(self.gate),
            profile_api.blueprint(self.profiles, self.gate, ProfileAudience()),
            account_data_api.blueprint(self.account_data, self.gate),
            filter_api.blueprint(self.filters, self.gate),
            devices_api.blueprint(self.device_list, self.gate),
            auth_fallback_api.blueprint(self.interactive, self.gate),
            capabilities_api.blueprint(capabilities_api.Capabilities("12", ["11", "12"]), self.gate),
            admin_register.blueprint(SharedSecret(SECRET, self.clock), self.registration, self.passwords, NAME),
        ]

    def close(self) -> None:
        """Stop what runs."""
        self.writer.close()
        self.database.close()

    def request(self, method: str, path: str, body: object = None, token: str | None = None) -> TestResponse:
        """One request; paths under /_matrix/client/v3 may be given from there on."""
        if path.startswith("/") and not path.startswith("/_"):
            path = "/_matrix/client/v3" + path
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        options = {} if body is None else {"json": body}
        return self.client.open(path, method=method, headers=headers, **options)

    def user(self, localpart: str, password: str = "secret", admin: bool = False, **fields: object) -> dict:
        """A new account, made with the shared secret."""
        nonce = self.request("GET", "/_synapse/admin/v1/register").json["nonce"]
        text = "\0".join((nonce, localpart, password, "admin" if admin else "notadmin"))
        mac = hmac.new(SECRET.encode(), text.encode(), hashlib.sha1).hexdigest()
        body = {"nonce": nonce, "username": localpart, "password": password, "admin": admin, "mac": mac, **fields}
        answer = self.request("POST", "/_synapse/admin/v1/register", body)
        assert answer.status_code == 200, answer.text
        return answer.json

    def log_in(self, user: str, password: str = "secret", **fields: object) -> TestResponse:
        """A login by password."""
        identifier = {"type": "m.id.user", "user": user}
        body = {"type": "m.login.password", "identifier": identifier, "password": password, **fields}
        return self.request("POST", "/login", body)
