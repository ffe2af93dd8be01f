"""Which thread of its room an event is in. Spec: Client-Server API, "Threaded read receipts"."""

from __future__ import annotations

from typing import Any

from core.graph.events import EventReader
from core.graph.stored_event import StoredEvent
from core.ids import EventId

MAX_HOPS = 3
"""So many relations are followed until one leads into a thread."""


def thread_of(events: EventReader, stored: StoredEvent) -> EventId | None:
    """The root of the thread that an event is in, directly or by what it relates to; None for the main timeline.

    Cost: a look-up for each of at most MAX_HOPS relations, mostly from memory. A root itself is in the main timeline.
    """
    for _ in range(MAX_HOPS):
        rel_type, parent_id = relation_of(stored)
        if parent_id is None:
            return None
        if rel_type == "m.thread":
            return parent_id
        parent = events.by_id(parent_id)
        if parent is None or parent.room_nid != stored.room_nid:
            return None
        stored = parent
    return None


def relation_of(stored: StoredEvent) -> tuple[str, EventId | None]:
    """(relation type, parent) of an event; ("", None) for one that relates to nothing."""
    relates_to: Any = stored.content.get("m.relates_to")
    if not isinstance(relates_to, dict):
        return "", None
    rel_type, parent_id = relates_to.get("rel_type"), relates_to.get("event_id")
    if not isinstance(rel_type, str) or not isinstance(parent_id, str):
        return "", None
    return rel_type, EventId(parent_id)
