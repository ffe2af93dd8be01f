"""Rule 1: the event that founds a room is judged by itself alone."""

from __future__ import annotations

from core.errors import AuthRuleViolation
from core.events.auth_rules.numbering import Rule, broken
from core.events.event import Event
from core.events.room_versions import ROOM_VERSIONS
from core.ids import is_user_id, server_of


def check_create(event: Event) -> None:
    """Rule 1. Raises AuthRuleViolation."""
    version, content = event.version, event.content
    if event.prev_event_ids:
        raise _broken(event, 1, "A create event has no previous events.")
    if version.room_id_is_create_hash:
        if "room_id" in event.pdu:
            raise _broken(event, 2, "A create event of this room version gives the room its id and carries none.")
    elif server_of(event.room_id) != server_of(event.sender):
        raise _broken(event, 2, "The server in the room id is not that of the sender.")
    if "room_version" in content:
        named = content["room_version"]
        if not isinstance(named, str) or named not in ROOM_VERSIONS:
            raise _broken(event, 3, "The room version named is not known.")
    if not version.implicit_creator and "creator" not in content:
        raise _broken(event, 4, "The content must name the `creator`.")
    if version.privileged_creators and "additional_creators" in content:
        others = content["additional_creators"]
        if not isinstance(others, list) or not all(isinstance(user, str) and is_user_id(user) for user in others):
            raise _broken(event, 4, "`additional_creators` must be a list of user ids.")


def _broken(event: Event, part: int, sentence: str) -> AuthRuleViolation:
    return broken(event.version, Rule.CREATE, str(part), sentence)
