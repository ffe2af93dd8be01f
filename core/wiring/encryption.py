"""Encryption: keys, who hears of them, backups, to-device messages, their endpoints and what syncs show of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flask import Blueprint

from core.accounts.clock import wall_clock_ms
from core.api.client import cross_signing, dehydrated_device, device_management, key_backup, keys, to_device
from core.encryption.claims import KeyClaims
from core.encryption.cross_signing import CrossSigning
from core.encryption.dehydrated_devices import DehydratedDevices
from core.encryption.departures import AccountDepartures, DeviceDepartures
from core.encryption.device_lists import DeviceLists
from core.encryption.key_backup import KeyBackup
from core.encryption.key_counts import KeyCounts
from core.encryption.queries import KeyQueries
from core.encryption.recent_changes import RecentChanges
from core.encryption.remote import RemoteInboxes, RemoteKeys
from core.encryption.signatures import SignatureUploads
from core.encryption.sync_sections import DeviceListSection, KeyCountSection, ToDeviceSection
from core.encryption.to_device import ToDevice
from core.encryption.uploads import KeyUploads
from core.errors import InvalidParam
from core.ids import Requester
from core.storage.cross_signing import CrossSigningStore
from core.storage.device_keys import DeviceKeyStore
from core.storage.device_lists import DeviceListStore
from core.storage.key_backup import KeyBackupStore
from core.storage.one_time_keys import OneTimeKeyStore
from core.storage.to_device import ToDeviceStore
from core.sync.sections import Section
from core.sync.tokens import SyncToken
from core.wiring.accounts import AccountsPart
from core.wiring.ground import Ground


@dataclass(frozen=True, slots=True)
class EncryptionPart:
    """The services others use, and what a sync shows."""

    queries: KeyQueries
    claims: KeyClaims
    to_device: ToDevice
    lists: DeviceLists
    sections: tuple[Section, ...]
    always_in_sync: Callable[[Requester], Mapping[str, bytes]]
    acknowledged: Callable[[Requester, int], None]
    blueprints: list[Blueprint]


def device_departures(ground: Ground) -> DeviceDepartures:
    """What has to go with a device; the device store is built with it."""
    database = ground.storage.database
    return DeviceDepartures(DeviceKeyStore(database), OneTimeKeyStore(database), ToDeviceStore(database))


def build_encryption(
    ground: Ground, accounts: AccountsPart, remote: RemoteKeys, inboxes: RemoteInboxes
) -> EncryptionPart:
    """Build the part over an open database."""
    storage, name, gate = ground.storage, ground.server_name, accounts.gate
    database, writer, interner = storage.database, storage.writer, storage.interner
    device_keys, one_time_keys = DeviceKeyStore(database), OneTimeKeyStore(database)
    cross_keys, messages = CrossSigningStore(database), ToDeviceStore(database)
    uploads = KeyUploads(accounts.devices, device_keys, one_time_keys, cross_keys, writer)
    queries = KeyQueries(name, device_keys, cross_keys, interner, remote)
    claims = KeyClaims(name, one_time_keys, messages, remote, writer)
    backups = KeyBackupStore(database)
    accounts.deactivation.listen(AccountDepartures(cross_keys, backups).forget)
    crossing = CrossSigning(database, cross_keys, device_keys, writer)
    signatures = SignatureUploads(name, database, accounts.users, cross_keys, device_keys, interner, remote, writer)
    sending = ToDevice(name, messages, inboxes, writer, wall_clock_ms)
    sleeping = DehydratedDevices(database, accounts.devices, device_keys, uploads, sending, writer, wall_clock_ms)
    recent = RecentChanges(storage.tail.position)
    lists = DeviceLists(DeviceListStore(database), interner, recent)
    counts = KeyCounts(one_time_keys, accounts.devices)
    storage.tail.follow(recent.follow, recent.followed)
    storage.tail.follow(counts.follow, counts.followed)
    count_section = KeyCountSection(counts)
    blueprints = [
        keys.blueprint(uploads, queries, claims, lists, _position_of, gate),
        cross_signing.blueprint(crossing, signatures, accounts.interactive, gate),
        key_backup.blueprint(KeyBackup(backups, writer), gate),
        to_device.blueprint(sending, gate),
        device_management.blueprint(accounts.sessions, accounts.interactive, gate),
        dehydrated_device.blueprint(sleeping, gate),
    ]
    message_section = ToDeviceSection(sending, counts)
    return EncryptionPart(
        queries,
        claims,
        sending,
        lists,
        (message_section, DeviceListSection(lists), count_section),
        count_section.always,
        message_section.acknowledged,
        blueprints,
    )


def _position_of(token: str) -> int:
    """Raises: `InvalidParam`."""
    try:
        return SyncToken.parse(token).position
    except InvalidParam as error:
        raise InvalidParam(f"{token[:100]!r} is no token: it must be the next_batch of an earlier sync.") from error
