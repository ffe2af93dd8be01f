"""Comparing a room with other servers in it, explaining what differs, and mending what can be.

Another server's forward extremities show in the template it makes for a leave of a user of ours, which is never sent. What
it says the state before each of them is, is compared with the state here. Mending means fetching: events go the way of those
that arrive by themselves, and the room's state follows from them; nothing is ever taken over unjudged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gevent.pool import Pool

from core.errors import MatrixError, NotFound
from core.events.canonical_json import encode
from core.events.event import Event
from core.federation.calls import GraphCalls, JoinCalls, ServerCalls
from core.federation.participation import Participation
from core.federation.received import ReceivedEvents
from core.federation.signed_client import Patience
from core.graph.graph import Graph
from core.graph.stored_event import StoredEvent
from core.ids import EventId, RoomId, RoomNid, ServerName, UserId, server_of
from core.storage.rooms import RoomName

MOST_SERVERS = 20
AT_ONCE = 5
PATIENCE = Patience(10_000, 0, 0, is_urgent=True)
FEW_EXTREMITIES = 10
SHOWN = 10
"""So many differences are shown one by one; the rest are counted."""

Stage = Callable[[RoomNid, ServerName, Sequence[Event], Sequence[bytes]], None]
"""Puts checked events into a room's queue of arrivals."""


@dataclass(slots=True)
class Visit:
    """What one other server says, and what is to be done about it."""

    server: ServerName
    lines: list[str] = field(default_factory=list)
    is_well: bool = True
    lacking: list[EventId] = field(default_factory=list)
    """Extremities of theirs that are unknown here."""
    lacks: list[EventId] = field(default_factory=list)
    """Extremities of ours that are unknown there."""

    def wrong(self, line: str) -> None:
        """Something differs."""
        self.is_well = False
        self.lines.append(line)


class RoomDoctor:
    """Examines rooms of this server."""

    def __init__(
        self,
        graph: Graph,
        participation: Participation,
        calls: GraphCalls,
        joins: JoinCalls,
        servers: ServerCalls,
        received: ReceivedEvents,
        stage: Stage,
        fill: Callable[[RoomName], None],
        own: ServerName,
    ) -> None:
        self._graph = graph
        self._participation = participation
        self._calls = calls
        self._joins = joins
        self._servers = servers
        self._received = received
        self._stage = stage
        self._fill = fill
        self._own = own

    def commands(self) -> Mapping[str, Callable[..., Any]]:
        """The function by command name."""
        return {"room doctor": self.examine}

    def examine(self, room: str, servers: int = 3, is_repairing: bool = False) -> dict[str, Any]:
        """`lines` to be read by a person, and whether the room `is_well`. Raises NotFound."""
        found = self._graph.rooms.find(RoomId(room))
        residents = [] if found is None else self._participation.servers(found)
        if found is None or self._own not in residents:
            raise NotFound(f"This server is not in room {room}.")
        lines, is_well = self._own_state(found)
        others = [one for one in residents if one != self._own][: max(0, min(servers, MOST_SERVERS))]
        if not others:
            lines.append("No other server is in the room.")
        for visit in Pool(AT_ONCE).imap(lambda server: self._visit(found, server), others):
            lines += [f"{visit.server}: {line}" for line in visit.lines]
            is_well = is_well and visit.is_well
            if is_repairing and not visit.is_well:
                lines += [f"{visit.server}: {line}" for line in self._repair(found, visit)]
        if is_repairing and self._graph.history.gaps_in(found.room_nid):
            self._fill(found)
            lines.append("What is missing between what is here is being fetched.")
        return {"is_well": is_well, "lines": lines}

    def _own_state(self, room: RoomName) -> tuple[list[str], bool]:
        extremities, gaps = self._extremities(room), self._graph.history.gaps_in(room.room_nid)
        state = self._graph.states.current(room.room_nid)
        lines = [
            f"Here: version {room.version.id}, {len(state)} events of state, {len(extremities)} forward extremities."
        ]
        is_well = len(extremities) <= FEW_EXTREMITIES
        if not is_well:
            lines.append("That is many: they become one with the next message of a user here.")
        if gaps:
            lines.append(f"History is missing before {len(gaps)} events, the newest of them {gaps[-1].event.event_id}.")
        return lines, is_well

    def _visit(self, room: RoomName, server: ServerName) -> Visit:
        visit = Visit(server)
        try:
            theirs = self._their_extremities(room, server)
            visit.lacking = [one for one in theirs if not self._is_placed(room, one)]
            for event_id in visit.lacking:
                visit.wrong(f"it has {event_id}, which is not here.")
            for stored in self._extremities(room):
                if stored.event_id not in theirs and not self._knows(server, stored.event_id):
                    visit.lacks.append(stored.event_id)
                    visit.wrong(f"it lacks {stored.event_id}, which is here.")
            for event_id in theirs:
                self._compare(room, server, event_id, visit)
        except MatrixError as error:
            visit.wrong(f"it cannot be compared with: {error.sentence}")
        if visit.is_well:
            visit.lines.append("the same extremities, and the same state.")
        return visit

    def _compare(self, room: RoomName, server: ServerName, event_id: EventId, visit: Visit) -> None:
        """The state before an event, there and here, as far as the event has one here."""
        stored = self._graph.events.by_id(event_id)
        if stored is None or stored.before is None:
            return
        theirs = set(self._calls.state_ids(server, room.room_id, event_id, PATIENCE).state)
        ours = {one.event_id: one for one in self._graph.states.before(stored.nid).events().values()}
        here, there = [one for one in ours if one not in theirs], [one for one in theirs if one not in ours]
        if not here and not there:
            return
        visit.wrong(f"before {event_id} the state differs in {max(len(here), len(there))} events.")
        known = self._graph.events.by_ids(there)
        for one in there[:SHOWN]:
            visit.lines.append(f"  there and not here: {_told(one, known.get(one))}")
        for one in here[:SHOWN]:
            visit.lines.append(f"  here and not there: {_told(one, ours[one])}")

    def _repair(self, room: RoomName, visit: Visit) -> list[str]:
        """Fetch what they have, and send what they lack."""
        lines = []
        for event_id in visit.lacking:
            try:
                pdu = self._calls.event(visit.server, event_id, PATIENCE)
                event = self._received.one(pdu or {}, room.version, room.room_id, event_id)
            except MatrixError as error:
                lines.append(f"{event_id} cannot be had: {error.sentence}")
            else:
                self._stage(room.room_nid, visit.server, [event], [encode(event.pdu, strict=False)])
                lines.append(f"{event_id} is taken in, and with it what it follows.")
        if visit.lacks:
            events = list(self._graph.events.by_ids(visit.lacks).values())
            body = b'{"edus":[],"origin":"%b","origin_server_ts":0,"pdus":[%b]}' % (
                self._own.encode(),
                b",".join(one.pdu_bytes for one in events),
            )
            try:
                self._servers.send_transaction(visit.server, f"doctor-{events[-1].nid}", body, PATIENCE)
                lines.append(f"{len(events)} events are sent to it.")
            except MatrixError as error:
                lines.append(f"what it lacks cannot be sent to it: {error.sentence}")
        return lines

    def _extremities(self, room: RoomName) -> list[StoredEvent]:
        return self._graph.states.extremities(room.room_nid)

    def _their_extremities(self, room: RoomName, server: ServerName) -> list[EventId]:
        """What the next event of theirs would follow, by the template of a leave that is never sent."""
        template = self._joins.make_leave(server, room.room_id, self._somebody(room))
        prevs = template.event.get("prev_events")
        names = [one[0] if isinstance(one, list) and one else one for one in prevs if prevs] if prevs else []
        return [EventId(one) for one in names if isinstance(one, str)]

    def _somebody(self, room: RoomName) -> UserId:
        """A user of ours in the room."""
        members = self._graph.memberships.members(room.room_nid)
        for user_id in self._graph.texts.texts([member.user_nid for member in members]).values():
            if server_of(user_id) == self._own:
                return UserId(user_id)
        raise NotFound(f"No user of this server is in room {room.room_id}.")

    def _is_placed(self, room: RoomName, event_id: EventId) -> bool:
        stored = self._graph.events.by_id(event_id)
        return stored is not None and stored.room_nid == room.room_nid and not stored.is_outlier

    def _knows(self, server: ServerName, event_id: EventId) -> bool:
        try:
            return self._calls.event(server, event_id, PATIENCE) is not None
        except MatrixError:
            return False


def _told(event_id: EventId, stored: StoredEvent | None) -> str:
    """What an event is, and why it may not count."""
    if stored is None:
        return f"{event_id}, unknown here"
    why = ", rejected here" if stored.is_rejected else "" if not stored.is_outlier else ", known here without a place"
    return f"{stored.type} {stored.state_key!r} of {stored.sender}, {event_id}{why}"
