"""What of an event is written down besides the event: its relation, and the strings that need numbers first."""

from __future__ import annotations

from typing import Any

from core.events.event import Event
from core.graph.appending.numbering import number_of
from core.graph.appending.work import Work
from core.graph.stored_event import StoredEvent
from core.ids import MAX_ID_BYTES, EventId, is_event_id, server_of
from core.storage.relations import Relation


def texts_of(event_type: str, sender: str, state_key: str | None, content: Any) -> set[str]:
    """The strings of an event that get numbers; to be interned before the append."""
    texts = {event_type, sender}
    if state_key is not None:
        texts.add(state_key)
        if event_type == "m.room.member":
            texts.add(server_of(state_key))
    relation = relation_in(content)
    if relation is not None:
        texts.update(text for text in relation[1:] if text)
    return texts


def relation_in(content: Any) -> tuple[EventId, str, str] | None:
    """(parent, relation type, annotation key or '') of a content, or None where it has no relation of sound shape.

    Spec: Client-Server API, "Forming relationships between events".
    """
    relates_to = content.get("m.relates_to") if isinstance(content, dict) else None
    if not isinstance(relates_to, dict):
        return None
    parent, rel_type, key = relates_to.get("event_id"), relates_to.get("rel_type"), relates_to.get("key")
    if not isinstance(parent, str) or not is_event_id(parent) or not isinstance(rel_type, str) or not _fits(rel_type):
        return None
    return EventId(parent), rel_type, key if rel_type == "m.annotation" and isinstance(key, str) and _fits(key) else ""


def note_relation(work: Work, stored: StoredEvent) -> None:
    """Write down the relation of a placed, accepted event, unless it is a state event, which has none."""
    event: Event = stored.event
    found = None if event.state_key is not None else relation_in(event.content)
    if found is None:
        return
    texts = work.bench.texts
    work.relations.append(
        Relation(
            found[0],
            number_of(texts, found[1]),
            stored.nid,
            stored.room_nid,
            stored.type_nid,
            stored.sender_nid,
            number_of(texts, found[2]) if found[2] else 0,
        )
    )


def _fits(text: str) -> bool:
    try:
        return 0 < len(text.encode()) <= MAX_ID_BYTES
    except UnicodeEncodeError:
        return False
