"""Events without a place: states and auth chains from elsewhere, put into the graph so that others can rest on them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

import gevent

from core.events.event import Event
from core.graph.appending.admission import Admission
from core.graph.graph import Graph
from core.graph.missing import MissingAuthEvents
from core.graph.stored_event import Place
from core.ids import EventId, RoomNid

EVENTS_AT_ONCE = 200
"""How many events one job of the writer lets in."""

logger = logging.getLogger(__name__)


class Outliers:
    """Keeps events that were checked already."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def keep(self, room: RoomNid, events: Iterable[Event]) -> None:
        """Let events in as outliers, each after its auth events; one whose auth events are nowhere is left out."""
        given = {event.event_id: event for event in events}
        known = self.known(given)
        new = {event_id: event for event_id, event in given.items() if event_id not in known}
        wanted = {auth for event in new.values() for auth in event.auth_event_ids if auth not in new}
        ready = known | self.known(wanted)
        ordered = [event for event in in_order(list(new.values())) if _rests_on(event, ready)]
        for start in range(0, len(ordered), EVENTS_AT_ONCE):
            self._append(room, ordered[start : start + EVENTS_AT_ONCE])
            gevent.idle()

    def known(self, event_ids: Iterable[EventId]) -> set[EventId]:
        """Those of `event_ids` that are in the graph."""
        listed = list(event_ids)
        found: set[EventId] = set()
        for start in range(0, len(listed), EVENTS_AT_ONCE):
            found |= self._graph.events.by_ids(listed[start : start + EVENTS_AT_ONCE]).keys()
            gevent.idle()
        return found

    def _append(self, room: RoomNid, events: Sequence[Event]) -> None:
        left = list(events)
        while left:
            try:
                self._graph.write.append(room, [Admission(event, Place.OUTLIER) for event in left])
            except MissingAuthEvents as missing:
                logger.info("%s is left out: its auth events are not to be had.", missing.event_id)
                left = [event for event in left if event.event_id != missing.event_id]
            else:
                return


def in_order(events: Sequence[Event]) -> list[Event]:
    """The events, each after those it rests on or follows; what goes round in a circle is left out."""
    given = {event.event_id: event for event in events}
    waiting: dict[EventId, int] = {}
    followers: dict[EventId, list[EventId]] = {}
    for event in given.values():
        needed = {one for one in (*event.auth_event_ids, *event.prev_event_ids) if one in given}
        waiting[event.event_id] = len(needed)
        for one in needed:
            followers.setdefault(one, []).append(event.event_id)
    ready = [event_id for event_id, count in waiting.items() if not count]
    ordered: list[Event] = []
    for event_id in ready:
        ordered.append(given[event_id])
        for follower in followers.get(event_id, ()):
            waiting[follower] -= 1
            if not waiting[follower]:
                ready.append(follower)
    return ordered


def _rests_on(event: Event, ready: set[EventId]) -> bool:
    """Whether all auth events are there; if so, the event is there for those after it."""
    if not all(auth in ready for auth in event.auth_event_ids):
        return False
    ready.add(event.event_id)
    return True
