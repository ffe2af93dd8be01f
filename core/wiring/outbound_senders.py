"""The senders to other servers."""

from __future__ import annotations

from core.encryption.queries import KeyQueries
from core.federation.device_announcements import DeviceAnnouncements
from core.federation.outbound_inboxes import OutboundInboxes
from core.federation.senders import Senders
from core.storage.announced_devices import AnnouncedDevicesStore
from core.storage.outbound_destinations import OutboundDestinationStore
from core.storage.outbound_device_lists import OutboundDeviceListStore
from core.storage.outbound_inboxes import OutboundInboxStore
from core.storage.outbound_relays import OutboundRelayStore
from core.wiring.federation import FederationGround
from core.wiring.ground import Ground
from core.wiring.rooms import RoomsPart


def build_inboxes(ground: Ground) -> OutboundInboxes:
    """The queues of to-device messages; encryption is built with them."""
    return OutboundInboxes(OutboundInboxStore(ground.storage.database, ground.storage.writer))


def build_senders(
    ground: Ground, rooms: RoomsPart, federation: FederationGround, queries: KeyQueries, inboxes: OutboundInboxes
) -> Senders:
    """Build the part over an open database."""
    storage = ground.storage
    announcements = DeviceAnnouncements(
        queries,
        AnnouncedDevicesStore(storage.database),
        OutboundDeviceListStore(storage.database, storage.writer),
        storage.writer,
        ground.config.federation.allow_device_name_lookup_over_federation,
    )
    return Senders(
        rooms.graph,
        storage.log,
        storage.tail,
        OutboundDestinationStore(storage.database, storage.writer),
        storage.notes,
        OutboundRelayStore(storage.database, storage.writer),
        federation.servers,
        federation.backoff,
        federation.allowed,
        inboxes,
        announcements,
    )
