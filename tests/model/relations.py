"""What is bundled with an event, by the model. Spec: Client-Server API, "Aggregations of child events"."""

from __future__ import annotations

from typing import Any

from tests.model.events import Event
from tests.model.rooms import Room
from tests.model.world import World


def bundle(world: World, room: Room, user: str, event: Event) -> dict[str, Any]:
    """The `m.relations` of an event that a user is shown: ids of events in place of the events themselves."""
    if event.is_state:
        return {}
    children = [one for one in world.timeline(room, user) if one.relation[1] == event.event_id]
    found: dict[str, Any] = {}
    edits = [one for one in children if _is_edit_of(one, event)]
    if edits:
        found["m.replace"] = edits[-1].event_id
    replies = [one for one in children if one.relation[0] == "m.thread"]
    if replies:
        takes_part = user in (event.sender, *(one.sender for one in replies))
        found["m.thread"] = (len(replies), replies[-1].event_id, takes_part)
    references = [one.event_id for one in children if one.relation[0] == "m.reference"]
    if references:
        found["m.reference"] = references
    return found


def shown_bundle(event: dict[str, Any]) -> dict[str, Any]:
    """What a client's event has bundled, in the same words."""
    relations = event.get("unsigned", {}).get("m.relations", {})
    found: dict[str, Any] = {}
    if "m.replace" in relations:
        found["m.replace"] = relations["m.replace"]["event_id"]
    if "m.thread" in relations:
        thread = relations["m.thread"]
        found["m.thread"] = (thread["count"], thread["latest_event"]["event_id"], thread["current_user_participated"])
    if "m.reference" in relations:
        found["m.reference"] = [one["event_id"] for one in relations["m.reference"]["chunk"]]
    return found


def _is_edit_of(child: Event, event: Event) -> bool:
    if child.relation[0] != "m.replace" or event.relation[0] == "m.replace" or event.is_redacted:
        return False
    return (child.sender, child.type) == (event.sender, event.type) and "m.new_content" in child.content
