"""Paging through a room's history, and the surroundings of one event.

Spec: Client-Server API, "Syncing" (paginating) and "Event Context".
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from core.events.event_filter import Relation, RoomEventFilter
from core.graph.client_events import ClientEvents
from core.graph.graph import Graph
from core.graph.history import HistoryToken, Page
from core.graph.stored_event import StoredEvent
from core.graph.viewing import Viewing
from core.ids import EventId, Position, Requester, RoomId, UserId, UserNid
from core.rooms.access import RoomAccess, Sight, viewer_of
from core.rooms.reading import Reading
from core.rooms.remote_history import RemoteHistory
from core.storage.log import LogTail

READS_PER_PAGE = 10
"""How many pages are read to fill one answer, where a filter or the history visibility leaves events out."""
FILLS_PER_PAGE = 5
"""How often missing history is asked for in one read."""
MOST_EVENTS = 1000
"""The largest limit that is honored."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """An answer to /messages: rendered events, where it starts and how to go on, and the members of its senders."""

    events: Sequence[bytes]
    start: str
    end: str | None
    state: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """An answer to /context."""

    event: bytes
    before: Sequence[bytes]
    after: Sequence[bytes]
    state: Sequence[bytes]
    start: str
    end: str


class Paging:
    """Reads history for a requester."""

    def __init__(
        self,
        graph: Graph,
        access: RoomAccess,
        viewing: Viewing,
        client_events: ClientEvents,
        reading: Reading,
        tail: LogTail,
        ignored_by: Callable[[UserNid], Collection[UserId]],
        elsewhere: RemoteHistory,
    ) -> None:
        self._graph = graph
        self._access = access
        self._viewing = viewing
        self._client_events = client_events
        self._reading = reading
        self._tail = tail
        self._ignored_by = ignored_by
        self._elsewhere = elsewhere

    def messages(
        self,
        requester: Requester,
        room_id: RoomId,
        start: HistoryToken | None,
        stop: HistoryToken | None,
        backwards: bool,
        limit: int,
        wanted: RoomEventFilter,
    ) -> Chunk:
        """A page of history. `start` is None for the end of the history that the direction begins at."""
        sight = self._access.sight(requester, room_id)
        room = sight.room.room_nid
        if start is None:
            start = (
                self._graph.history.token_at(room, self._tail.position) if backwards else self._graph.history.start()
            )
        limit = max(1, min(limit, wanted.limit_within(limit), MOST_EVENTS))
        events, end = self._fill(requester, sight, start, stop, backwards, limit, wanted)
        state = self._members_of(events, sight) if wanted.lazy_load_members else []
        viewer = viewer_of(requester)
        return Chunk(
            self._client_events.render(events, viewer),
            str(start),
            None if end is None else str(end),
            self._client_events.render(state, viewer, is_bundled=False),
        )

    def context(
        self, requester: Requester, room_id: RoomId, event_id: EventId, limit: int, wanted: RoomEventFilter
    ) -> Surroundings:
        """An event with up to `limit` others around it, and the state after the last of them."""
        sight = self._access.sight(requester, room_id)
        target = self._reading.event_in(sight, requester, event_id)
        back, forward = self._graph.history.around(target)
        half = max(0, min(limit, MOST_EVENTS)) // 2
        before, start = self._fill(requester, sight, back, None, True, half, wanted) if half else ([], back)
        room_for_more = max(0, min(limit, MOST_EVENTS)) - len(before)
        after, end = (
            self._fill(requester, sight, forward, None, False, room_for_more, wanted)
            if room_for_more
            else ([], forward)
        )
        last = after[-1] if after else target
        state: Iterable[StoredEvent] = self._graph.states.after(last.nid).events().values()
        if wanted.lazy_load_members:
            senders = {stored.sender for stored in (*before, target, *after)}
            state = [one for one in state if one.type != "m.room.member" or one.state_key in senders]
        state = [one for one in state if wanted.matches_event(one.type, one.sender, room_id, one.content)]
        viewer = viewer_of(requester)
        return Surroundings(
            self._client_events.render((target,), viewer)[0],
            self._client_events.render(before, viewer),
            self._client_events.render(after, viewer),
            self._client_events.render(state, viewer, is_bundled=False),
            str(start or self._place_of(before[-1] if before else target)),
            str(end or self._place_of(last)),
        )

    def token(self, room_id: RoomId, text: str) -> HistoryToken:
        """A history token, also from a sync token, whose position is looked up. Raises InvalidParam."""
        if text.startswith("s"):
            position = text[1:].partition("_")[0]
            room = self._graph.rooms.find(room_id)
            if position.isdecimal() and len(position) < 20 and room is not None:
                return self._graph.history.token_at(room.room_nid, Position(int(position)))
        return HistoryToken.parse(text)

    def _fill(
        self,
        requester: Requester,
        sight: Sight,
        start: HistoryToken,
        stop: HistoryToken | None,
        backwards: bool,
        limit: int,
        wanted: RoomEventFilter,
    ) -> tuple[list[StoredEvent], HistoryToken | None]:
        """Up to `limit` events that the requester may see and wants, and the token that goes on after them."""
        found: list[StoredEvent] = []
        token: HistoryToken | None = start
        for _ in range(READS_PER_PAGE):
            if token is None or len(found) >= limit:
                break
            page = self._page(sight, token, backwards, limit - len(found), stop)
            token = page.end
            found += self._shown(requester, sight, page.events, wanted)
        return found, token

    def _page(self, sight: Sight, start: HistoryToken, backwards: bool, limit: int, stop: HistoryToken | None) -> Page:
        """A page, after what is missing in it was fetched, as far as other servers have it and the user is a member.

        Where the history ends in a gap that nobody fills now, a page with events can be continued later.
        """
        history, room = self._graph.history, sight.room
        page = history.page(room.room_nid, start, backwards, limit, stop)
        if not sight.is_joined or (not backwards and start <= history.start()):
            return page
        for _ in range(FILLS_PER_PAGE):
            gap = page.gap
            if gap is None:
                return page
            if backwards and len(page.events) == limit and page.events[-1] is gap.event:
                self._elsewhere.soon(room)
                return page
            if not self._elsewhere.fill(room, gap):
                break
            page = history.page(room.room_nid, start, backwards, limit, stop)
        if backwards and page.end is None and page.gap is not None and page.events and stop is None:
            last = page.events[-1]
            page = replace(page, end=HistoryToken(last.local_depth, last.nid, start.position))
        return page

    def _shown(
        self, requester: Requester, sight: Sight, events: Sequence[StoredEvent], wanted: RoomEventFilter
    ) -> list[StoredEvent]:
        left_at = sight.left_at
        if left_at is not None:
            events = [stored for stored in events if stored.main_index <= left_at]
        ignored = self._ignored_by(requester.user_nid)
        if ignored:  # state events are shown whoever sent them. Spec: "Ignoring Users"
            events = [stored for stored in events if stored.is_state or stored.sender not in ignored]
        visible = self._viewing.visible(events, requester.user_nid, requester.user_id)
        if wanted == RoomEventFilter():
            return visible
        related = related_by(self._graph, visible) if wanted.judges_relations else {}
        return [stored for stored in visible if matches(wanted, stored, related.get(stored.event_id, ()))]

    def _members_of(self, events: Sequence[StoredEvent], sight: Sight) -> list[StoredEvent]:
        """The member events of the senders, in the state the requester sees."""
        keys = [("m.room.member", sender) for sender in dict.fromkeys(stored.sender for stored in events)]
        return list(sight.state.events(keys).values())

    def _place_of(self, stored: StoredEvent) -> HistoryToken:
        return self._graph.history.around(stored)[0]


def matches(wanted: RoomEventFilter, stored: StoredEvent, related: Iterable[Relation] = ()) -> bool:
    """Whether a filter lets an event through that `related` others relate to."""
    return wanted.matches_event(stored.type, stored.sender, stored.room_id, stored.content, lambda: related)


def related_by(graph: Graph, events: Iterable[StoredEvent]) -> dict[EventId, list[Relation]]:
    """(relation type, sender) of everything that relates to each of some events."""
    found: dict[EventId, list[Relation]] = {}
    relations = graph.relations.children([stored.event_id for stored in events])
    texts = graph.texts.texts({nid for one in relations for nid in (one.rel_type_nid, one.sender_nid)})
    for one in relations:
        found.setdefault(one.parent_id, []).append((texts[one.rel_type_nid], texts[one.sender_nid]))
    return found
