"""A room, or all rooms, at one glance: the snapshots from before `/sync`, kept for old clients and for peeking.

Spec: Client-Server API, GET /rooms/{roomId}/initialSync and GET /initialSync.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

import orjson

from core.events.event_filter import RoomEventFilter
from core.graph.client_events import ClientEvents
from core.graph.graph import Graph
from core.ids import Requester, RoomId, RoomNid
from core.rooms.access import RoomAccess, Sight, viewer_of
from core.rooms.event_stream import EventStream
from core.rooms.paging import Paging
from core.storage.account_data import AccountDataStore, TypedContents
from core.storage.memberships import Membership
from core.storage.room_aliases import PublishedRoomStore
from core.storage.rooms import RoomName

_NOTHING = b'"presence":[],"receipts":[]'
MOST_MESSAGES = 100
"""The largest limit that is honored, per room."""


class Ephemeral(Protocol):
    """Presence and receipts; core.sync.snapshots reads them."""

    def presence(self, requester: Requester) -> Sequence[Mapping[str, Any]]:
        """The `m.presence` events of those whom the requester sees."""

    def receipts(self, requester: Requester, rooms: Collection[RoomNid]) -> Mapping[RoomNid, Sequence[dict[str, Any]]]:
        """The `m.receipt` events of some rooms."""


class InitialSync:
    """Makes snapshots. Without `ephemeral`, which is set once syncs are built, they have no presence and receipts."""

    ephemeral: Ephemeral | None = None

    def __init__(
        self,
        graph: Graph,
        access: RoomAccess,
        paging: Paging,
        client_events: ClientEvents,
        account_data: AccountDataStore,
        published: PublishedRoomStore,
        stream: EventStream,
    ) -> None:
        self._graph = graph
        self._access = access
        self._paging = paging
        self._client_events = client_events
        self._account_data = account_data
        self._published = published
        self._stream = stream

    def room(self, requester: Requester, room_id: RoomId, limit: int) -> bytes:
        """One room as JSON. Raises Forbidden where the requester may not read it."""
        sight = self._access.sight(requester, room_id)
        membership = None if sight.membership is None else sight.membership.membership
        data = self._account_data.all_in_rooms(requester.user_nid, [room_id]).get(room_id, [])
        snapshot = self._snapshot(requester, sight, membership, limit, data)
        return b"%b,%b}" % (snapshot[:-1], self._ephemeral(requester, sight.room) if sight.is_joined else _NOTHING)

    def all(self, requester: Requester, limit: int, with_left: bool) -> bytes:
        """The requester's account as JSON: rooms, invites, account data."""
        end = self._stream.token()
        wanted = ("join", "invite", "leave", "ban") if with_left else ("join", "invite")
        data = self._account_data.all_in_rooms(requester.user_nid)
        rooms = []
        for membership in self._graph.memberships.rooms_of(requester.user_nid, wanted):
            room_id = self._graph.rooms.name(membership.room_nid).room_id
            if membership.membership == "invite":
                rooms.append(self._invite(requester, room_id, membership))
            elif (sight := self._access.find_sight(requester, room_id)) is not None:
                contents = data.get(room_id, [])
                rooms.append(self._snapshot(requester, sight, membership.membership, limit, contents))
        return b'{"end":%b,%b,"account_data":%b,"rooms":[%b]}' % (
            orjson.dumps(end),
            self._ephemeral(requester, None),
            _account_data(self._account_data.all(requester.user_nid)),
            b",".join(rooms),
        )

    def _invite(self, requester: Requester, room_id: RoomId, membership: Membership) -> bytes:
        stored = self._graph.events.by_nid(membership.event_nid)
        (invite,) = self._client_events.render((stored,), viewer_of(requester), is_bundled=False)
        return b'{"room_id":%b,"membership":"invite","inviter":%b,"invite":%b}' % (
            orjson.dumps(room_id),
            orjson.dumps(stored.sender),
            invite,
        )

    def _snapshot(
        self, requester: Requester, sight: Sight, membership: str | None, limit: int, data: TypedContents
    ) -> bytes:
        room_id, room = sight.room.room_id, sight.room.room_nid
        state = self._client_events.render(sight.state.events().values(), viewer_of(requester), is_bundled=False)
        parts = [
            b'"room_id":' + orjson.dumps(room_id),
            b'"messages":' + self._messages(requester, room_id, limit),
            b'"state":[%b]' % b",".join(state),
            b'"visibility":"%b"' % self._visibility(room),
            b'"account_data":' + _account_data(data),
        ]
        if membership is not None:
            parts.append(b'"membership":' + orjson.dumps(membership))
        return b"{" + b",".join(parts) + b"}"

    def _ephemeral(self, requester: Requester, room: RoomName | None) -> bytes:
        """The members `presence` and `receipts` of a room's object, or of the account's."""
        presence: list[Mapping[str, Any]] = []
        receipts: list[dict[str, Any]] = []
        if self.ephemeral is not None:
            presence = [one for one in self.ephemeral.presence(requester) if self._is_in(room, one["sender"])]
            joined = self._graph.memberships.rooms_of(requester.user_nid) if room is None else ()
            rooms = [one.room_nid for one in joined] if room is None else [room.room_nid]
            names = self._graph.rooms.names(rooms)
            for nid, events in self.ephemeral.receipts(requester, rooms).items():
                receipts += [{**event, "room_id": names[nid].room_id} for event in events]
        return b'"presence":%b,"receipts":%b' % (orjson.dumps(presence), orjson.dumps(receipts))

    def _is_in(self, room: RoomName | None, user_id: str) -> bool:
        """Whether a user is in the room; in no room in particular, everybody is."""
        user = None if room is None else self._graph.texts.find(user_id)
        if room is None or user is None:
            return room is None
        membership = self._graph.memberships.of(room.room_nid, user)
        return membership is not None and membership.membership == "join"

    def _messages(self, requester: Requester, room_id: RoomId, limit: int) -> bytes:
        if limit <= 0:
            return b'{"chunk":[],"end":%b}' % orjson.dumps(self._stream.token())
        chunk = self._paging.messages(
            requester, room_id, None, None, True, min(limit, MOST_MESSAGES), RoomEventFilter()
        )
        start = b"" if chunk.end is None else b',"start":' + orjson.dumps(chunk.end)
        events = b",".join(reversed(chunk.events))
        return b'{"chunk":[%b],"end":%b%b}' % (events, orjson.dumps(chunk.start), start)

    def _visibility(self, room: RoomNid) -> bytes:
        return b"public" if self._published.is_published(room) else b"private"


def _account_data(contents: TypedContents) -> bytes:
    return b"[%b]" % b",".join(
        b'{"type":%b,"content":%b}' % (orjson.dumps(type_), bytes(content)) for type_, content in contents
    )
