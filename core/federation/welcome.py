"""Which events of other servers are let in and not shown: those that the room's policy server or a plugin does not want.

Such an event is soft-failed: it stays part of the room's graph, and no client here sees it.
Spec: Server-Server API, "Checks performed on receipt of a PDU", step 7.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from core.errors import MatrixError
from core.events.event import Event
from core.federation.policy_servers import PolicyRefusal, PolicyServers
from core.graph.graph import Graph
from core.hooks.manager import PluginManager
from core.hooks.specs import events as event_hooks
from core.hooks.verdicts import Reject
from core.ids import EventId, ServerName
from core.rooms.room_view import GraphRoomView
from core.storage.rooms import RoomName

logger = logging.getLogger(__name__)


class Welcome:
    """Judges live events on their way in."""

    def __init__(self, graph: Graph, policies: PolicyServers, plugins: PluginManager) -> None:
        self._graph = graph
        self._policies = policies
        self._plugins = plugins

    def judge(
        self, room: RoomName, events: dict[EventId, Event], origins: Mapping[EventId, ServerName]
    ) -> set[EventId]:
        """Those of a batch that nobody is to see. Recommended events get their signature, in place.

        A policy server that does not answer is asked once for the batch. May wait for it, and for plugins.
        """
        unwanted: set[EventId] = set()
        if self._policies.is_needed(room.room_nid):
            unwanted |= self._unrecommended(room, events)
        if self._plugins.has(event_hooks.drop_federated_event):
            unwanted |= self._dropped(room, events, origins)
        return unwanted

    def _unrecommended(self, room: RoomName, events: dict[EventId, Event]) -> set[EventId]:
        found, answers = set(), True
        for event_id, event in events.items():
            try:
                events[event_id] = self._policies.endorse(room.room_nid, event) if answers else event
            except MatrixError as error:
                answers = isinstance(error, PolicyRefusal)
                logger.info("%s of %s is not recommended: %s", event_id, room.room_id, error.sentence)
                found.add(event_id)
            else:
                found |= set() if answers else {event_id}
        return found

    def _dropped(
        self, room: RoomName, events: Mapping[EventId, Event], origins: Mapping[EventId, ServerName]
    ) -> set[EventId]:
        view = GraphRoomView(self._graph, room)
        return {
            event_id
            for event_id, event in events.items()
            if isinstance(
                self._plugins.judge(event_hooks.drop_federated_event, event=event, origin=origins[event_id], room=view),
                Reject,
            )
        }
