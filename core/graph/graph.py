"""The graph's services, composed. This is what the composition root builds and hands, service by service, to others."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from core.events.signatures import SigningKey
from core.graph.appending.appender import Appender
from core.graph.appending.sending import Author
from core.graph.appending.work import Bench
from core.graph.events import EventReader
from core.graph.history import History
from core.graph.lines import StateReader
from core.graph.members import Members
from core.graph.prejoin import PrejoinState
from core.graph.purging import Purger
from core.graph.room_graph import RoomGraph
from core.graph.sent_requests import SentRequests
from core.graph.states import RoomStates
from core.graph.stores import GraphStores
from core.graph.tips import TipReader
from core.ids import ServerName
from core.storage.database import Database
from core.storage.edges import EdgeStore
from core.storage.events import EventStore
from core.storage.extremities import ExtremityStore
from core.storage.interning import Interner
from core.storage.log import LogReader, LogTail
from core.storage.memberships import MembershipStore, OutOfBandStore
from core.storage.purges import PurgeStore
from core.storage.redactions import RedactionStore
from core.storage.relations import RelationStore
from core.storage.room_servers import RoomServerStore
from core.storage.rooms import RoomStore
from core.storage.state_deltas import StateDeltaStore
from core.storage.state_lines import StateLineStore
from core.storage.transaction_ids import TransactionIdStore
from core.storage.writer import Writer


@dataclass(frozen=True, slots=True)
class Graph:
    """Everything others may use of the graph. See each class for what it does."""

    write: RoomGraph
    """Creates rooms, sends, appends, judges."""
    states: RoomStates
    """The state of a room, current or at an event."""
    events: EventReader
    """Events by id or number."""
    history: History
    """Pages, timelines, gaps."""
    members: Members
    """Forgetting rooms and invites to rooms we are not in."""
    purger: Purger
    """Takes history away."""
    memberships: MembershipStore
    out_of_band: OutOfBandStore
    servers: RoomServerStore
    rooms: RoomStore
    deltas: StateDeltaStore
    relations: RelationStore
    transaction_ids: TransactionIdStore
    texts: Interner
    prejoin: PrejoinState = field(default_factory=PrejoinState)
    """What strangers who are about to come in are told of a room."""


def build_graph(
    database: Database,
    writer: Writer,
    tail: LogTail,
    texts: Interner,
    server_name: ServerName,
    signing_key: SigningKey,
    now_ms: Callable[[], int] = lambda: int(time.time() * 1000),
    event_cache_bytes: int = 32 * 1024 * 1024,
    state_cache_bytes: int = 16 * 1024 * 1024,
    tip_cache_bytes: int = 32 * 1024 * 1024,
) -> Graph:
    """Build the graph's services over an opened, migrated database and a started writer.

    The caches are those of events, of states at their places, and of current states.
    """
    rooms, events, lines = RoomStore(database, writer), EventStore(database, writer), StateLineStore(database)
    edges, extremities = EdgeStore(database), ExtremityStore(database)
    reader = EventReader(database, events, rooms, texts, event_cache_bytes)
    tail.follow(reader.follow, reader.followed)
    states = StateReader(database, lines, state_cache_bytes)
    tips = TipReader(database, rooms, lines, extremities, reader, tip_cache_bytes)
    tail.follow(tips.follow, tips.followed)
    stores = GraphStores(
        rooms=rooms,
        events=events,
        edges=edges,
        extremities=extremities,
        lines=lines,
        deltas=StateDeltaStore(database),
        memberships=MembershipStore(database),
        out_of_band=OutOfBandStore(database),
        servers=RoomServerStore(database),
        redactions=RedactionStore(database),
        relations=RelationStore(database),
        transaction_ids=TransactionIdStore(database),
    )
    appender = Appender(Bench(database, stores, reader, states, texts), tips, writer, server_name)
    return Graph(
        write=RoomGraph(
            appender, SentRequests(database, stores.transaction_ids), Author(server_name, signing_key, now_ms)
        ),
        states=RoomStates(tips, states, lines, reader, texts),
        events=reader,
        history=History(database, events, edges, LogReader(database), reader, tips),
        members=Members(writer, appender),
        purger=Purger(database, appender, PurgeStore(database)),
        memberships=stores.memberships,
        out_of_band=stores.out_of_band,
        servers=stores.servers,
        rooms=rooms,
        deltas=stores.deltas,
        relations=stores.relations,
        transaction_ids=stores.transaction_ids,
        texts=texts,
    )
