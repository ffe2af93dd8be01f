"""The stores an append writes through, in one value, so that constructors stay readable."""

from __future__ import annotations

from dataclasses import dataclass

from core.storage.edges import EdgeStore
from core.storage.events import EventStore
from core.storage.extremities import ExtremityStore
from core.storage.memberships import MembershipStore, OutOfBandStore
from core.storage.redactions import RedactionStore
from core.storage.relations import RelationStore
from core.storage.room_servers import RoomServerStore
from core.storage.rooms import RoomStore
from core.storage.state_deltas import StateDeltaStore
from core.storage.state_lines import StateLineStore
from core.storage.transaction_ids import TransactionIdStore


@dataclass(frozen=True, slots=True)
class GraphStores:
    """What belongs to the graph in the database."""

    rooms: RoomStore
    events: EventStore
    edges: EdgeStore
    extremities: ExtremityStore
    lines: StateLineStore
    deltas: StateDeltaStore
    memberships: MembershipStore
    out_of_band: OutOfBandStore
    servers: RoomServerStore
    redactions: RedactionStore
    relations: RelationStore
    transaction_ids: TransactionIdStore
