"""What of a room's state those see who are not in it: the fields of directories, summaries and space hierarchies.

Values of the wrong type are left out, since anybody's room may hold anything.
Spec: Client-Server API, "PublishedRoomsChunk" and "RoomSummary".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.ids import RoomId, is_room_alias, is_room_id

SUMMARY_TYPES = (
    "m.room.create",
    "m.room.name",
    "m.room.topic",
    "m.room.canonical_alias",
    "m.room.avatar",
    "m.room.join_rules",
    "m.room.history_visibility",
    "m.room.guest_access",
    "m.room.encryption",
)
"""The state, all with an empty state key, of which a summary is made."""

OPEN_RULES = frozenset({"public", "knock", "knock_restricted"})
"""Join rules under which anybody may come in, or ask to."""

_TEXT_FIELDS = ("name", "topic", "avatar_url", "join_rule", "room_type", "encryption", "room_version")
_CHUNK_FIELDS = (
    "room_id",
    "name",
    "topic",
    "canonical_alias",
    "avatar_url",
    "join_rule",
    "room_type",
    "num_joined_members",
    "world_readable",
    "guest_can_join",
)

Contents = Mapping[str, Mapping[str, Any]]
"""The content of state events by type."""


def summary_of(room_id: RoomId, contents: Contents, joined_members: int, room_version: str | None) -> dict[str, Any]:
    """The summary of a room with this state."""
    fields: dict[str, Any] = {
        "room_id": room_id,
        "num_joined_members": joined_members,
        "world_readable": _text(contents, "m.room.history_visibility", "history_visibility") == "world_readable",
        "guest_can_join": _text(contents, "m.room.guest_access", "guest_access") == "can_join",
        "join_rule": _text(contents, "m.room.join_rules", "join_rule") or "invite",
        "name": _text(contents, "m.room.name", "name"),
        "topic": _plain_topic(contents.get("m.room.topic", {})),
        "canonical_alias": _text(contents, "m.room.canonical_alias", "alias"),
        "avatar_url": _text(contents, "m.room.avatar", "url"),
        "room_type": _text(contents, "m.room.create", "type"),
        "encryption": _text(contents, "m.room.encryption", "algorithm"),
        "room_version": room_version or _text(contents, "m.room.create", "room_version"),
    }
    if fields["join_rule"] in ("restricted", "knock_restricted"):
        fields["allowed_room_ids"] = allowed_room_ids(contents.get("m.room.join_rules", {}))
    return {key: value for key, value in fields.items() if value is not None}


def chunk_of(summary: Mapping[str, Any]) -> dict[str, Any]:
    """What of a summary the room directory shows."""
    return {key: summary[key] for key in _CHUNK_FIELDS if key in summary}


def cleaned(summary: Mapping[str, Any]) -> dict[str, Any] | None:
    """What is sound of a summary that another server made; None where it does not name a room."""
    room_id, members = summary.get("room_id"), summary.get("num_joined_members")
    if not isinstance(room_id, str) or not is_room_id(room_id):
        return None
    found: dict[str, Any] = {
        "room_id": room_id,
        "num_joined_members": members if type(members) is int and members >= 0 else 0,
        "world_readable": summary.get("world_readable") is True,
        "guest_can_join": summary.get("guest_can_join") is True,
    }
    found.update((key, summary[key]) for key in _TEXT_FIELDS if isinstance(summary.get(key), str))
    alias = summary.get("canonical_alias")
    if isinstance(alias, str) and is_room_alias(alias):
        found["canonical_alias"] = alias
    allowed = summary.get("allowed_room_ids")
    if isinstance(allowed, list):
        found["allowed_room_ids"] = [one for one in allowed if isinstance(one, str)]
    return found


def allowed_room_ids(join_rules: Mapping[str, Any]) -> list[str]:
    """The rooms whose members the join rules let in."""
    allow = join_rules.get("allow")
    conditions = [one for one in allow if isinstance(one, dict)] if isinstance(allow, list) else []
    found = [one.get("room_id") for one in conditions if one.get("type") == "m.room_membership"]
    return [room_id for room_id in found if isinstance(room_id, str)]


def _plain_topic(content: Mapping[str, Any]) -> str | None:
    """The topic as plain text: that of its text block, else the field older clients read."""
    block = content.get("m.topic")
    texts = block.get("m.text") if isinstance(block, dict) else None
    for text in texts if isinstance(texts, list) else ():
        if isinstance(text, dict) and text.get("mimetype", "text/plain") == "text/plain":
            body = text.get("body")
            if isinstance(body, str):
                return body
    topic = content.get("topic")
    return topic if isinstance(topic, str) and topic else None


def _text(contents: Contents, event_type: str, key: str) -> str | None:
    value = contents.get(event_type, {}).get(key)
    return value if isinstance(value, str) and value else None
