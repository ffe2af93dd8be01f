"""Joining rooms through other servers.

The answer is read as it arrives, its events are checked in batches and put into the graph as outliers in small jobs; only the
join itself makes the room ours. What an interrupted join has left is harmless, and used by the next.
Spec: Server-Server API, "Joining Rooms".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import gevent

from core.errors import AuthRuleViolation
from core.events.event import Event
from core.events.room_versions import ROOM_VERSIONS, RoomVersion
from core.federation.calls import JoinCalls
from core.federation.calls.graph_calls import MAX_STATE_BYTES
from core.federation.candidates import Candidates
from core.federation.membership_templates import MembershipTemplates
from core.federation.outliers import Outliers
from core.federation.received import ReceivedEvents
from core.federation.remote_errors import RemoteNonsense
from core.federation.streamed_json import stream_object
from core.graph.appending.admission import Admission
from core.graph.graph import Graph
from core.graph.missing import MissingEvents
from core.graph.stored_event import load_pdu
from core.ids import EventId, RoomId, ServerName, StateKey, UserId
from core.storage.rooms import RoomName

JOIN_TIMEOUT_MS = 300_000
"""How long the answer to a join may take: large servers build it for minutes."""
EVENTS_PER_CHECK = 500

_LISTS = ("state", "auth_chain")


@dataclass(slots=True)
class _Told:
    """What an answer said: all its events by id, which of them are the state, and the join as the server has it."""

    events: dict[EventId, Event] = field(default_factory=dict)
    state: dict[StateKey, EventId] = field(default_factory=dict)
    join: Mapping[str, Any] | None = None


class RemoteJoins:
    """Joins."""

    def __init__(
        self,
        graph: Graph,
        calls: JoinCalls,
        templates: MembershipTemplates,
        candidates: Candidates,
        received: ReceivedEvents,
        outliers: Outliers,
        on_entrance: Callable[[RoomName], None],
    ) -> None:
        """`on_entrance` is told of rooms that were entered, whose history is not here; it may wait for the database."""
        self._graph = graph
        self._calls = calls
        self._templates = templates
        self._candidates = candidates
        self._received = received
        self._outliers = outliers
        self._on_entrance = on_entrance

    def join(
        self, user_id: UserId, room_id: RoomId, via: Sequence[str], content: Mapping[str, Any], is_entrance: bool
    ) -> None:
        """Join through the first server that lets the user in. Raises MatrixError.

        `is_entrance` says that this server is not in the room; where it is, the join is one event more.
        """
        servers = self._candidates.of(room_id, via)
        self._candidates.first(
            room_id, servers, lambda server: self._join(server, user_id, room_id, content, is_entrance)
        )

    def _join(
        self, server: ServerName, user_id: UserId, room_id: RoomId, content: Mapping[str, Any], is_entrance: bool
    ) -> None:
        template = self._calls.make_join(server, room_id, user_id, list(ROOM_VERSIONS))
        event = self._templates.complete(server, template, room_id, user_id, content)
        with self._calls.send_join(server, room_id, event.event_id, event.pdu, JOIN_TIMEOUT_MS) as answer:
            told = self._read(server, answer.pieces(MAX_STATE_BYTES), event)
        if told.join is not None and told.join != event.pdu:
            event = self._received.one(told.join, event.version, room_id, event.event_id)
        create = told.events.get(told.state.get(("m.room.create", ""), EventId("")))
        if create is None or create.content.get("room_version", "1") != event.version.id:
            raise RemoteNonsense(server, "the room's state has no create event of the room's version.")
        self._enter(server, event, told, is_entrance)

    def _enter(self, server: ServerName, event: Event, told: _Told, is_entrance: bool) -> None:
        room = self._graph.rooms.intern(event.room_id, event.version)
        if room.version is not event.version:
            raise RemoteNonsense(server, f"the room was said to have version {room.version.id} before.")
        self._outliers.keep(room.room_nid, told.events.values())
        try:
            admission = Admission(event, state=told.state)
            appended = self._graph.write.append(room.room_nid, [admission], is_entrance)
        except MissingEvents as missing:
            raise RemoteNonsense(server, f"the auth events of the join are missing from it: {missing}.") from missing
        violation = appended.refused.get(event.event_id)
        if violation is not None:
            raise AuthRuleViolation(violation.rule, f"The state that {server} told forbids it: {violation.sentence}")
        if is_entrance:
            self._on_entrance(room)

    def _read(self, server: ServerName, pieces: Any, join: Event) -> _Told:
        """Check everything in the answer as it arrives."""
        told, waiting = _Told(), []
        try:
            for key, raw in stream_object(pieces, _LISTS):
                if key in _LISTS:
                    waiting.append((key, load_pdu(raw, join.version)))
                elif key == "event" and raw != b"null":
                    told.join = load_pdu(raw, join.version)
                if len(waiting) >= EVENTS_PER_CHECK:
                    self._take(told, waiting, join.version, join.room_id)
                    waiting.clear()
                if len(waiting) % 50 == 49:
                    gevent.idle()
        except ValueError as error:
            raise RemoteNonsense(server, f"it is not the JSON that was asked for: {error}.") from error
        self._take(told, waiting, join.version, join.room_id)
        return told

    def _take(self, told: _Told, waiting: Sequence[tuple[str, Any]], version: RoomVersion, room_id: RoomId) -> None:
        for name in _LISTS:
            pdus = [pdu for key, pdu in waiting if key == name]
            for event in self._received.check(pdus, version, room_id).events:
                told.events[event.event_id] = event
                if name == "state" and event.is_state:
                    told.state[event.key] = event.event_id
