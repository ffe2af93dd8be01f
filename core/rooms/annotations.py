"""What a local user's event may relate to: no reaction twice, no thread that begins inside another.

These are rules for clients of this server. What comes over federation is taken as it is, and ignored where it breaks them.
Spec: Client-Server API, "Avoiding duplicate annotations", "Validation of m.thread relationships".
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from core.errors import BadRequest
from core.graph.appending.relating import relation_in
from core.graph.graph import Graph
from core.graph.stored_event import StoredEvent
from core.ids import EventId, RoomNid, UserNid
from core.rooms.aggregates import ANNOTATION, THREAD
from core.storage.related_events import RelatedEventStore


class RelationRules:
    """Checks the relation of an event before it is sent."""

    def __init__(self, graph: Graph, related: RelatedEventStore) -> None:
        self._graph = graph
        self._related = related

    def check(self, room: RoomNid, sender: UserNid, event_type: str, content: Mapping[str, Any]) -> None:
        """Raise BadRequest for a relation that this server does not let its users make.

        An event that is not known here may be related to: the sender may have seen it where this server has a gap.
        """
        relation = relation_in(content)
        if relation is None:
            return
        parent_id, rel_type, key = relation
        parent = self._graph.events.by_id(parent_id)
        if parent is not None and parent.room_nid != room:
            raise BadRequest(f"The event {parent_id} is in another room; events relate to events of their own room.")
        if rel_type == THREAD and parent is not None and relation_in(parent.content) is not None:
            raise BadRequest(
                f"The event {parent_id} relates to another event, so no thread can start from it; "
                "use the event it relates to."
            )
        if rel_type == ANNOTATION and self._is_repeated(parent_id, sender, event_type, key):
            raise BadRequest(
                f"You have annotated {parent_id} with {key!r} already; redact that annotation to take it back.",
                errcode="M_DUPLICATE_ANNOTATION",
            )

    def related_to(self, room: RoomNid, event_id: EventId, rel_types: Collection[str]) -> list[StoredEvent]:
        """The events that relate to an event in some ways, or in any if `rel_types` has a '*'; in history order."""
        known = () if "*" in rel_types else tuple(self._graph.texts.known(rel_types).values())
        if not known and "*" not in rel_types:
            return []
        children = self._related.children(room, [event_id], known)
        return list(self._graph.events.by_nids(child.nid for child in children).values())

    def _is_repeated(self, parent_id: EventId, sender: UserNid, event_type: str, key: str) -> bool:
        texts = self._graph.texts
        annotation, type_nid, key_nid = texts.find(ANNOTATION), texts.find(event_type), texts.find(key)
        if annotation is None or type_nid is None or key_nid is None or not key:
            return False
        return self._related.has_annotation(parent_id, annotation, type_nid, sender, key_nid)
