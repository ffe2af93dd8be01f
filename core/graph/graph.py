"""The graph's services, composed. This is what the composition root builds and hands, service by service, to others."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from core.events.signatures import SigningKey
from core.graph.appending.appender import Appender
from core.graph.appending.sending import Author
from core.graph.appending.work import Bench
from core.graph.events import EventReader
from core.graph.history import History
from core.graph.lines import StateReader
from core.graph.members import Members
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


CACHE_BYTES = 192 * 1024 * 1024
"""What is kept in memory of events, states and current states, unless the composition root says otherwise."""


def build_graph(
    database: Database,
    writer: Writer,
    tail: LogTail,
    texts: Interner,
    server_name: ServerName,
    signing_key: SigningKey,
    now_ms: Callable[[], int] = lambda: int(time.time() * 1000),
    cache_bytes: int = CACHE_BYTES,
) -> Graph:
    """Build the graph's services over an opened, migrated database and a started writer.

    `cache_bytes` is divided among events, states and current states.
    """
    share = cache_bytes // 3
    rooms, events, lines = RoomStore(database, writer), EventStore(database, writer), StateLineStore(database)
    edges, extremities = EdgeStore(database), ExtremityStore(database)
    reader = EventReader(database, events, rooms, texts, share)
    tail.follow(reader.follow)
    states = StateReader(database, lines, share)
    tips = TipReader(database, rooms, lines, extremities, reader, share)
    tail.follow(tips.follow)
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
