"""What of a pusher's queue its user has still not seen."""

from __future__ import annotations

from collections.abc import Sequence

from core.graph.graph import Graph
from core.graph.stored_event import StoredEvent
from core.graph.threads import thread_of
from core.ids import UserNid
from core.push.ledger import Ledger
from core.storage.log import Kind, LogReader
from core.storage.pushers import Push
from core.storage.receipts import MAIN


class MissedReader:
    """Looks at queued notifications again."""

    def __init__(self, graph: Graph, ledger: Ledger, log: LogReader) -> None:
        self._graph = graph
        self._ledger = ledger
        self._log = log

    def of(self, user: UserNid, queue: Sequence[Push]) -> list[StoredEvent]:
        """The events that are unread in rooms the user is in, and invites that are open, oldest first."""
        nids = [push.event_nid for push in queue]
        events = self._graph.events.by_nids(nids)
        positions = self._log.positions_of(Kind.EVENT, nids)
        memberships = {
            room: self._graph.memberships.of(room, user) for room in {event.room_nid for event in events.values()}
        }
        joined = [room for room, one in memberships.items() if one is not None and one.membership == "join"]
        unread = self._ledger.unread(user, joined)
        missed: list[StoredEvent] = []
        for nid in nids:
            event = events.get(nid)
            if event is None or event.is_redacted:
                continue
            own = memberships[event.room_nid]
            if event.room_nid in unread:
                thread = thread_of(self._graph.events, event) or MAIN
                is_missed = positions.get(nid, 0) > unread[event.room_nid].read_upto(thread)
            else:
                is_missed = own is not None and own.membership == "invite" and own.event_nid == nid
            if is_missed:
                missed.append(event)
        return missed
