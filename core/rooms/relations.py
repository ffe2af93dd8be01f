"""The events that relate to an event, page by page, as far as the requester may see them.

Spec: Client-Server API, "Relationships API".
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from core.graph.client_events import ClientEvents
from core.graph.graph import Graph
from core.graph.history import HistoryToken
from core.graph.stored_event import StoredEvent
from core.graph.viewing import Viewing
from core.ids import EventId, Requester, RoomId, TextNid, UserId, UserNid
from core.rooms.access import viewer_of
from core.rooms.reading import Reading
from core.storage.log import LogTail
from core.storage.related_events import RelatedEvent, RelatedEventStore

MOST_EVENTS = 1000
"""The largest limit that is honored."""
DEPTH = 3
"""Through how many relations `recurse` goes."""
MOST_RECURSED = 10_000
"""So many related events are collected before `recurse` goes no deeper."""


@dataclass(frozen=True, slots=True)
class RelationsPage:
    """Rendered events, the tokens around them, and how deep was looked where that was asked for."""

    events: Sequence[bytes]
    next_batch: str | None
    recursion_depth: int | None


class Relations:
    """Pages through related events."""

    def __init__(
        self,
        graph: Graph,
        reading: Reading,
        viewing: Viewing,
        client_events: ClientEvents,
        related: RelatedEventStore,
        tail: LogTail,
        ignored_by: Callable[[UserNid], Collection[UserId]],
    ) -> None:
        self._graph = graph
        self._reading = reading
        self._viewing = viewing
        self._client_events = client_events
        self._related = related
        self._tail = tail
        self._ignored_by = ignored_by

    def page(
        self,
        requester: Requester,
        room_id: RoomId,
        event_id: EventId,
        rel_type: str | None,
        event_type: str | None,
        start: HistoryToken | None,
        stop: HistoryToken | None,
        backwards: bool,
        limit: int,
        recurse: bool,
    ) -> RelationsPage:
        """Up to `limit` events that relate to an event. Raises NotFound where the requester may not see that one."""
        parent = self._reading.event(requester, room_id, event_id)
        children = self._between(self._children(parent, rel_type, event_type, recurse), start, stop, backwards)
        limit = min(limit, MOST_EVENTS)
        shown: list[StoredEvent] = []
        end: RelatedEvent | None = None
        taken = 0
        while taken < len(children) and len(shown) < limit:
            some = children[taken : taken + limit - len(shown)]
            taken += len(some)
            shown += self._visible(requester, some)
            end = some[-1]
        next_batch = None
        if end is not None and taken < len(children):
            next_batch = str(HistoryToken(end.depth, end.nid, self._tail.position))
        rendered = self._client_events.render(shown, viewer_of(requester))
        return RelationsPage(rendered, next_batch, DEPTH if recurse else None)

    def _children(
        self, parent: StoredEvent, rel_type: str | None, event_type: str | None, recurse: bool
    ) -> list[RelatedEvent]:
        """What relates to the parent, each once, in history order. A type that nobody ever used is none's."""
        texts = self._graph.texts
        rel_nid = None if rel_type is None else texts.find(rel_type)
        type_nid = None if event_type is None else texts.find(event_type)
        if (rel_type is not None and rel_nid is None) or (event_type is not None and type_nid is None):
            return []
        found: dict[EventId, RelatedEvent] = {}
        level: list[EventId] = [parent.event_id]
        wanted: tuple[TextNid, ...] = () if rel_nid is None else (rel_nid,)
        for _ in range(DEPTH if recurse else 1):
            children = self._related.children(parent.room_nid, level, wanted, type_nid) if level else []
            new = {one.event_id: one for one in children if one.event_id not in found}
            new.pop(parent.event_id, None)
            found.update(new)
            level = list(new)
            if len(found) > MOST_RECURSED:
                break
        return sorted(found.values(), key=lambda one: one.place)

    def _between(
        self,
        children: list[RelatedEvent],
        start: HistoryToken | None,
        stop: HistoryToken | None,
        backwards: bool,
    ) -> list[RelatedEvent]:
        """The children from `start` on, not going past `stop`, in the direction asked for."""
        if backwards:
            children.reverse()
        if start is not None:
            first = (start.depth, start.nid)
            children = [one for one in children if (one.place < first if backwards else one.place > first)]
        if stop is not None:
            last = (stop.depth, stop.nid)
            children = [one for one in children if (one.place > last if backwards else one.place < last)]
        return children

    def _visible(self, requester: Requester, children: Sequence[RelatedEvent]) -> list[StoredEvent]:
        ignored = self._ignored_by(requester.user_nid)
        events = self._graph.events.by_nids(one.nid for one in children).values()
        listed = [stored for stored in events if stored.sender not in ignored]
        return self._viewing.visible(listed, requester.user_nid, requester.user_id)
