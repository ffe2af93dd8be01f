"""The senders to other servers."""

from __future__ import annotations

from core.federation.senders import Senders
from core.storage.outbound_destinations import OutboundDestinationStore
from core.storage.outbound_relays import OutboundRelayStore
from core.wiring.federation import FederationGround
from core.wiring.ground import Ground
from core.wiring.rooms import RoomsPart


def build_senders(ground: Ground, rooms: RoomsPart, federation: FederationGround) -> Senders:
    """Build the part over an open database."""
    storage = ground.storage
    return Senders(
        rooms.graph,
        storage.log,
        storage.tail,
        OutboundDestinationStore(storage.database, storage.writer),
        OutboundRelayStore(storage.database, storage.writer),
        federation.servers,
        federation.backoff,
        federation.allowed,
    )
