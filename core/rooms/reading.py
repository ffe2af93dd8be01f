"""Reading a room: its state, its members, single events, as far as the requester may see them.

Spec: Client-Server API, "Getting events for a room".
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from core.errors import Forbidden, NotFound
from core.graph.caches import ByteCache
from core.graph.client_events import ClientEvents, encode
from core.graph.graph import Graph
from core.graph.history import HistoryToken
from core.graph.states import RoomState
from core.graph.stored_event import StateRef, StoredEvent
from core.graph.viewing import Viewing
from core.ids import EventId, EventNid, Requester, RoomId, RoomNid, is_event_id
from core.rooms.access import RoomAccess, Sight, viewer_of
from core.rooms.remote_history import RemoteHistory
from core.storage.log import Kind, Line
from core.storage.memberships import MEMBERSHIPS

JOINED_CACHE_BYTES = 8 * 1024 * 1024
"""How much of answers to /joined_members is kept in memory."""
MEMBERS_CACHE_BYTES = 4 * 1024 * 1024
"""How much is kept of which events make somebody a member."""


class Reading:
    """Reads states, members and events for a requester."""

    followed = (Kind.REDACTED,)
    """The kinds of lines it hears of."""

    def __init__(
        self,
        graph: Graph,
        access: RoomAccess,
        viewing: Viewing,
        client_events: ClientEvents,
        elsewhere: RemoteHistory,
    ) -> None:
        self._graph = graph
        self._elsewhere = elsewhere
        self._access = access
        self._viewing = viewing
        self._client_events = client_events
        self._members: ByteCache[tuple[RoomNid, tuple[str, ...]], tuple[StateRef | None, list[EventNid]]] = ByteCache(
            MEMBERS_CACHE_BYTES
        )
        self._joined: ByteCache[RoomNid, tuple[StateRef | None, bytes]] = ByteCache(JOINED_CACHE_BYTES)

    def state(self, requester: Requester, room_id: RoomId) -> list[bytes]:
        """The state of a room as client events."""
        sight = self._access.sight(requester, room_id)
        return self._rendered(requester, sight.state.events().values())

    def state_event(self, requester: Requester, room_id: RoomId, event_type: str, state_key: str) -> StoredEvent:
        """One state event. Raises NotFound where the state has none under this key."""
        return self._access.sight(requester, room_id).state.require(event_type, state_key)

    def render_one(self, requester: Requester, stored: StoredEvent) -> bytes:
        """One event as a client event."""
        return self._client_events.render((stored,), viewer_of(requester))[0]

    def members(
        self,
        requester: Requester,
        room_id: RoomId,
        membership: str | None,
        not_membership: str | None,
        at: HistoryToken | None,
    ) -> list[bytes]:
        """The member events of a room, now or at a token, of some memberships."""
        sight = self._access.sight(requester, room_id)
        wanted = [m for m in MEMBERSHIPS[1:] if membership in (None, m) and m != not_membership]
        if at is None and sight.left_at is None:
            events = self._graph.events.by_nids(self._member_events(sight.room.room_nid, tuple(wanted)))
            return self._rendered(requester, events.values())
        state = sight.state if at is None else self._state_at(sight, at)
        listed = state.of_type("m.room.member").values()
        return self._rendered(requester, [stored for stored in listed if stored.content.get("membership") in wanted])

    def joined_members(self, requester: Requester, room_id: RoomId) -> bytes:
        """Display name and avatar of everybody in the room, as a JSON object; only for those who are there themselves.

        Kept until the room's state changes, or a redaction thins one of its events.
        """
        room = self._access.joined(requester, room_id).room_nid
        ref = self._graph.states.current(room).ref
        kept = self._joined.get(room)
        if kept is not None and kept[0] == ref:
            return kept[1]
        events = self._graph.events.by_nids(self._member_events(room, ("join",)))
        shown = encode({stored.state_key or "": _shown(stored) for stored in events.values()})
        self._joined.put(room, (ref, shown), 200 + len(shown))
        return shown

    def _member_events(self, room: RoomNid, memberships: tuple[str, ...]) -> list[EventNid]:
        """The member events of these memberships, kept until the room's state changes."""
        ref = self._graph.states.current(room).ref
        kept = self._members.get((room, memberships))
        if kept is not None and kept[0] == ref:
            return kept[1]
        found = self._graph.memberships.member_events(room, memberships)
        self._members.put((room, memberships), (ref, found), 300 + 40 * len(found))
        return found

    def follow(self, lines: Iterable[Line]) -> None:
        """A follower of the log: what was redacted is shown as before no longer."""
        for line in lines:
            if line.kind is Kind.REDACTED:
                self._joined.drop(RoomNid(line.subject))

    def joined_rooms(self, requester: Requester) -> list[RoomId]:
        """The rooms the requester is in."""
        nids = [one.room_nid for one in self._graph.memberships.rooms_of(requester.user_nid)]
        return [room.room_id for room in self._graph.rooms.names(nids).values()]

    def event(self, requester: Requester, room_id: RoomId, event_id: EventId) -> StoredEvent:
        """One event of the room. Raises NotFound where there is none, or none the requester may see.

        For a member one that is not here yet is asked for elsewhere.
        """
        room = self._graph.rooms.find(room_id)
        missing = NotFound(f"There is no event {event_id} in this room, or you may not see it.")
        if room is None:
            raise missing
        try:
            sight = self._access.sight(requester, room_id)
        except Forbidden as refused:
            raise missing from refused
        return self.event_in(sight, requester, event_id)

    def event_in(self, sight: Sight, requester: Requester, event_id: EventId) -> StoredEvent:
        """As `event`, in a room that the requester may look into."""
        room, missing = sight.room, NotFound(f"There is no event {event_id} in this room, or you may not see it.")
        stored = self._graph.events.by_id(event_id)
        may_be_elsewhere = (stored is None or stored.is_outlier) and sight.is_joined and is_event_id(event_id)
        if may_be_elsewhere and self._elsewhere.bring(room, event_id):
            stored = self._graph.events.by_id(event_id)
        if stored is None or stored.room_nid != room.room_nid or not stored.is_visible:
            raise missing
        if not self._viewing.may_see(stored, requester.user_nid, requester.user_id):
            raise missing
        return stored

    def _state_at(self, sight: Sight, token: HistoryToken) -> RoomState:
        """The state at a token, for former members not after they left."""
        page = self._graph.history.page(sight.room.room_nid, token, True, 1)
        if not page.events:
            return sight.state
        newest = page.events[0]
        if sight.state_until is not None and newest.main_index > sight.state_until:
            return sight.state
        return self._graph.states.after(EventNid(newest.nid))

    def _rendered(self, requester: Requester, events: Collection[StoredEvent] | Sequence[StoredEvent]) -> list[bytes]:
        return self._client_events.render(events, viewer_of(requester), is_bundled=False, with_replaced=False)


def _shown(stored: StoredEvent) -> dict[str, Any]:
    """What /joined_members shows of a member event; values that are no strings are left out."""
    content = stored.content
    shown = {"display_name": content.get("displayname"), "avatar_url": content.get("avatar_url")}
    return {key: value for key, value in shown.items() if isinstance(value, str)}
