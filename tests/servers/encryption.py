"""Accounts and encryption, served in this process, with what a sync would show of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from core.api.client import cross_signing as cross_signing_api
from core.api.client import dehydrated_device as dehydrated_device_api
from core.api.client import device_management as device_management_api
from core.api.client import key_backup as key_backup_api
from core.api.client import keys as keys_api
from core.api.client import to_device as to_device_api
from core.encryption.claims import KeyClaims
from core.encryption.cross_signing import CrossSigning
from core.encryption.dehydrated_devices import DehydratedDevices
from core.encryption.departures import DeviceDepartures
from core.encryption.device_lists import DeviceLists
from core.encryption.key_backup import KeyBackup
from core.encryption.key_counts import KeyCounts
from core.encryption.queries import KeyQueries
from core.encryption.recent_changes import RecentChanges
from core.encryption.remote import NoRemoteInboxes, NoRemoteKeys
from core.encryption.signatures import SignatureUploads
from core.encryption.sync_sections import DeviceListSection, KeyCountSection, ToDeviceSection
from core.encryption.to_device import ToDevice
from core.encryption.uploads import KeyUploads
from core.ids import Requester
from core.storage.cross_signing import CrossSigningStore
from core.storage.device_keys import DeviceKeyStore
from core.storage.device_lists import DeviceListStore
from core.storage.key_backup import KeyBackupStore
from core.storage.log import Kind
from core.storage.one_time_keys import OneTimeKeyStore
from core.storage.to_device import ToDeviceStore
from core.web.factory import create_app
from core.web.settings import WebSettings
from tests.servers.accounts import NAME, Accounts
from tests.servers.device_keys import ClientDevice


@dataclass
class SyncRequest:
    """As core.sync has it."""

    requester: Requester


@dataclass
class SyncWindow:
    """As core.sync has it, for a user of whom memory knows nothing."""

    since: int
    upto: int

    def has(self, *kinds: Kind) -> bool:
        """Always perhaps."""
        return True


@dataclass
class Syncing:
    """One sync being answered."""

    request: SyncRequest
    window: SyncWindow


class Encryption(Accounts):
    """Every service of encryption. `remote_keys` and `remote_inboxes` may be set before `build` is called again."""

    remote_keys: Any = NoRemoteKeys()
    remote_inboxes: Any = NoRemoteInboxes()

    def build(self) -> None:
        """Make the services; called again, it is a restart with cold caches."""
        super().build()
        database, writer, clock = self.database, self.writer, self.clock
        self.device_keys, self.one_time_keys = DeviceKeyStore(database), OneTimeKeyStore(database)
        self.cross_keys, self.messages = CrossSigningStore(database), ToDeviceStore(database)
        departures = DeviceDepartures(self.device_keys, self.one_time_keys, self.messages)
        self.devices._on_removal = (departures.leave,)  # the accounts part made its store without us
        self.uploads = KeyUploads(self.devices, self.device_keys, self.one_time_keys, self.cross_keys, writer)
        self.queries = KeyQueries(NAME, self.device_keys, self.cross_keys, self.interner, self.remote_keys)
        self.claims = KeyClaims(NAME, self.one_time_keys, self.messages, self.remote_keys, writer)
        self.cross_signing = CrossSigning(database, self.cross_keys, self.device_keys, writer)
        self.signatures = SignatureUploads(
            NAME, database, self.users, self.cross_keys, self.device_keys, self.interner, self.remote_keys, writer
        )
        self.backup = KeyBackup(KeyBackupStore(database), writer)
        self.to_device = ToDevice(NAME, self.messages, self.remote_inboxes, writer, clock)
        self.dehydrated = DehydratedDevices(
            database, self.devices, self.device_keys, self.uploads, self.to_device, writer, clock
        )
        self.recent = RecentChanges(self.tail.position)
        self.lists = DeviceLists(DeviceListStore(database), self.interner, self.recent)
        self.counts = KeyCounts(self.one_time_keys, self.devices)
        self.tail.follow(self.recent.follow)
        self.tail.follow(self.counts.follow)
        self.sections = (
            ToDeviceSection(self.to_device, self.counts),
            DeviceListSection(self.lists),
            KeyCountSection(self.counts),
        )
        self.client.application = create_app([*self.blueprints(), *self.encryption_blueprints()], WebSettings())

    def encryption_blueprints(self) -> list:
        """Everything encryption serves."""
        return [
            keys_api.blueprint(
                self.uploads, self.queries, self.claims, self.lists, lambda token: int(token[1:]), self.gate
            ),
            cross_signing_api.blueprint(self.cross_signing, self.signatures, self.interactive, self.gate),
            key_backup_api.blueprint(self.backup, self.gate),
            to_device_api.blueprint(self.to_device, self.gate),
            device_management_api.blueprint(self.sessions, self.interactive, self.gate),
            dehydrated_device_api.blueprint(self.dehydrated, self.gate),
        ]

    def signed_in(self, localpart: str, **fields: object) -> Person:
        """A new account, signed in on one device."""
        return Person(self, self.user(localpart, **fields))


class Person:
    """One device of a user, with its client."""

    def __init__(self, server: Encryption, session: dict) -> None:
        self.server = server
        self.user_id, self.device_id = session["user_id"], session["device_id"]
        self.token = session["access_token"]
        self.device = ClientDevice(self.user_id, self.device_id)
        self.since: int | None = None

    @property
    def localpart(self) -> str:
        """The name."""
        return self.user_id[1:].partition(":")[0]

    def another(self) -> Person:
        """The same user on a new device."""
        answer = self.server.log_in(self.localpart)
        assert answer.status_code == 200, answer.text
        return Person(self.server, answer.json)

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """A request that succeeds: its answer."""
        answer = self.server.request(method, path, body, self.token)
        assert answer.status_code == 200, answer.text
        return answer.json

    def refused(self, method: str, path: str, body: object = None) -> tuple[int, dict]:
        """A request that does not: status and body."""
        answer = self.server.request(method, path, body, self.token)
        assert answer.status_code >= 400, answer.text
        return answer.status_code, answer.json

    def upload(self, count: int = 0, **fields: object) -> dict:
        """Publish the device's keys, with some one-time keys."""
        body = {"device_keys": self.device.keys(), "one_time_keys": self.device.one_time_keys(0, count), **fields}
        return self.ask("POST", "/keys/upload", body)["one_time_key_counts"]

    def query(self, *users: str) -> dict:
        """What others' keys look like from here."""
        return self.ask("POST", "/keys/query", {"device_keys": {user: [] for user in users}})

    def claim(self, other: Person) -> dict:
        """A one-time key of somebody's device, as {id: key}; empty where there is none."""
        wanted = {other.user_id: {other.device_id: "signed_curve25519"}}
        answer = self.ask("POST", "/keys/claim", {"one_time_keys": wanted})
        return answer["one_time_keys"].get(other.user_id, {}).get(other.device_id, {})

    def send(self, txn_id: str, messages: dict, event_type: str = "m.test") -> None:
        """Send to devices."""
        self.ask("PUT", f"/sendToDevice/{event_type}/{txn_id}", {"messages": messages})

    def authenticated(self, method: str, path: str, body: dict, password: str = "secret") -> Any:
        """A request that takes user-interactive authentication, with the password: the answer."""
        first = self.server.request(method, path, body, self.token)
        assert first.status_code == 401, first.text
        auth = {
            "type": "m.login.password",
            "identifier": {"type": "m.id.user", "user": self.localpart},
            "password": password,
            "session": first.json["session"],
        }
        return self.server.request(method, path, {**body, "auth": auth}, self.token)

    @property
    def requester(self) -> Requester:
        """Who the token belongs to."""
        return self.server.tokens.requester_of(self.token)

    def sync(self) -> dict:
        """What the sections say, as in a sync that goes on from the last one."""
        upto = self.server.tail.position
        asking = Syncing(SyncRequest(self.requester), SyncWindow(self.since or 0, upto))
        is_initial = self.since is None
        if self.since is not None:
            self.server.sections[0].acknowledged(self.requester, self.since)
        self.since = upto
        found: dict[str, Any] = {}
        for section in self.server.sections:
            fields = section.current(asking) if is_initial else section.news(asking)
            for key, value in fields.items():
                found[key] = [orjson.loads(one) for one in value] if isinstance(value, list) else orjson.loads(value)
        return found
