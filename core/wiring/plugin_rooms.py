"""Rooms as plugins reach them: `core.hooks.api.Rooms` over the graph, the notifier's memory and the services."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import orjson

from core.errors import Forbidden, NotFound
from core.events.event import Event
from core.graph.client_events import ClientEvents, Viewer
from core.graph.graph import Graph
from core.graph.stored_event import StoredEvent
from core.graph.viewing import Viewing
from core.hooks.api import EventContext
from core.ids import EventId, Requester, RoomId, RoomNid, ServerName, UserId, UserNid, server_of
from core.rooms.membership import Memberships
from core.rooms.room_view import GraphRoomView
from core.rooms.sending import Sending
from core.sync.notifier import Notifier


class PluginRooms:
    """Rooms this server is in."""

    def __init__(
        self,
        graph: Graph,
        viewing: Viewing,
        client_events: ClientEvents,
        sending: Sending,
        memberships: Memberships,
        notifier: Notifier,
        server_name: ServerName,
    ) -> None:
        self._graph = graph
        self._viewing = viewing
        self._client_events = client_events
        self._sending = sending
        self._memberships = memberships
        self._notifier = notifier
        self._server_name = server_name

    def find(self, room_id: RoomId) -> GraphRoomView | None:
        """The room, or None if this server does not know it."""
        room = self._graph.rooms.find(room_id)
        return None if room is None else GraphRoomView(self._graph, room)

    def rooms_of(self, user_id: UserId, membership: str = "join") -> Sequence[RoomId]:
        """The rooms a user has this membership in; from memory where the user syncs and is joined."""
        user_nid = self._graph.texts.find(user_id)
        if user_nid is None:
            return []
        active = self._notifier.find_user(user_nid) if membership == "join" else None
        if active is not None:
            nids: Collection[RoomNid] = list(active.joined)
        else:
            nids = [found.room_nid for found in self._graph.memberships.rooms_of(user_nid, (membership,))]
        return [name.room_id for name in self._graph.rooms.names(nids).values()]

    def is_in_any(self, user_id: UserId, rooms: Collection[RoomId]) -> bool:
        """Whether a user is joined to one of `rooms`; from memory where the user syncs."""
        user_nid = self._graph.texts.find(user_id)
        if user_nid is None or not rooms:
            return False
        active = self._notifier.find_user(user_nid)
        if active is not None:
            joined = active.joined
        else:
            joined = {found.room_nid for found in self._graph.memberships.rooms_of(user_nid)}
        return any((room := self._graph.rooms.find(one)) is not None and room.room_nid in joined for one in rooms)

    def users_sharing(self, user_id: UserId) -> Sequence[UserId]:
        """Everybody who is joined to a room that the user is joined to, the user included."""
        user_nid = self._graph.texts.find(user_id)
        nids = [] if user_nid is None else self._graph.memberships.users_sharing(user_nid)
        return [UserId(text) for text in self._graph.texts.texts(nids).values()]

    def servers_sharing(self, user_id: UserId) -> Sequence[ServerName]:
        """The other servers with users in a room the user is joined to."""
        user_nid = self._graph.texts.find(user_id)
        nids = [] if user_nid is None else self._graph.servers.sharing(user_nid)
        names = [ServerName(text) for text in self._graph.texts.texts(nids).values()]
        return [name for name in names if name != self._server_name]

    def send(
        self, sender: UserId, room_id: RoomId, type: str, content: Mapping[str, Any], state_key: str | None = None
    ) -> EventId:
        """Send an event as a local user, through the same checks and hooks as a client's. Raises MatrixError."""
        if server_of(sender) != self._server_name:
            raise Forbidden(f"{sender} is a user of another server, whose events are made there.")
        requester = Requester(sender, UserNid(self._graph.texts.nid(sender)), None, 0)
        if state_key is not None and type == "m.room.member":
            return self._memberships.set_by_state(requester, room_id, UserId(state_key), content)
        if state_key is not None:
            return self._sending.set_state(requester, room_id, type, state_key, content)
        return self._sending.send(requester, room_id, type, content, f"plugin-{secrets.token_hex(16)}")

    def events(self, event_ids: Sequence[EventId]) -> Mapping[EventId, Event]:
        """The events that are known, whoever may see them."""
        return {event_id: stored.event for event_id, stored in self._graph.events.by_ids(event_ids).items()}

    def visible_events(self, viewer: UserId, event_ids: Sequence[EventId]) -> Mapping[EventId, Mapping[str, Any]]:
        """The client format of those events that the viewer may see, with the viewer's `unsigned`."""
        by_room: dict[RoomNid, list[StoredEvent]] = {}
        for stored in self._graph.events.by_ids(event_ids).values():
            if stored.is_visible:
                by_room.setdefault(stored.room_nid, []).append(stored)
        shown = [event for events in by_room.values() for event in self._shown(viewer, events)]
        return {event["event_id"]: event for event in shown}

    def around(
        self, viewer: UserId, event_id: EventId, before: int, after: int
    ) -> tuple[Sequence[Mapping[str, Any]], Sequence[Mapping[str, Any]]]:
        """Up to `before` events before and `after` events after an event, as the viewer may see them, nearest first."""
        context = self.context(viewer, event_id, before, after)
        return context.before, context.after

    def context(self, viewer: UserId, event_id: EventId, before: int, after: int) -> EventContext:
        """As `around`, with the tokens from which a client pages on in either direction. Raises NotFound."""
        stored = self._graph.events.by_id(event_id)
        if stored is None or not self._shown(viewer, [stored]):
            raise NotFound(f"There is no event {event_id} that {viewer} can see.")
        history = self._graph.history
        back, forth = history.around(stored)
        earlier = history.page(stored.room_nid, back, True, before).events if before > 0 else []
        later = history.page(stored.room_nid, forth, False, after).events if after > 0 else []
        start = history.around(earlier[-1])[0] if earlier else back
        end = history.around(later[-1])[1] if later else forth
        return EventContext(self._shown(viewer, earlier), self._shown(viewer, later), str(start), str(end))

    def _shown(self, viewer: UserId, events: Sequence[StoredEvent]) -> list[dict[str, Any]]:
        """Those of one room's events that the viewer may see, in the client format."""
        who = Viewer(self._graph.texts.nid(viewer), viewer)
        visible = self._viewing.visible(events, who.user_nid, viewer)
        return [orjson.loads(rendered) for rendered in self._client_events.render(visible, who)]
