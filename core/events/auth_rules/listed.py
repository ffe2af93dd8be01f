"""The duties on an event's own `auth_events`: rule 2 in room versions 1 to 11, rules 2 and 3 in 12.

What the listed events allow is another question, answered by `authorize` with the state they make.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from core.errors import AuthRuleViolation
from core.events.auth_rules.numbering import Rule, broken
from core.events.auth_rules.selection import CREATE, auth_event_keys
from core.events.event import Event
from core.ids import EventId, StateKey


def check_auth_events(event: Event, auth_events: Sequence[Event], is_rejected: Callable[[EventId], bool]) -> None:
    """Check the events that `event` lists, all of which are given, against the rules for such lists.

    `is_rejected` says of an event id whether that event was rejected when it came; in room version 12 it is also asked
    about the create event that the room id names, which is not in the list. Rule 1 decides about create events alone,
    so they pass here. Raises AuthRuleViolation.
    """
    if event.type == "m.room.create":
        return
    version = event.version
    if version.room_id_is_create_hash and is_rejected(EventId("$" + event.room_id[1:])):
        raise broken(version, Rule.ROOM_ID, "", "The create event that the room id names was rejected.")
    selected = auth_event_keys(version, event.type, event.sender, event.state_key, event.content)
    seen: set[StateKey] = set()
    for listed in auth_events:  # 2.1
        if listed.state_key is not None and listed.key in seen:
            raise _broken(event, 1, f"Two auth events are filed under {_name(listed)}.")
        if listed.state_key is not None:
            seen.add(listed.key)
    for listed in auth_events:  # 2.2
        if listed.state_key is None or listed.key not in selected:
            raise _broken(event, 2, f"An event of this kind may not list {_name(listed)} ({listed.event_id}).")
    for listed in auth_events:  # 2.3
        if is_rejected(listed.event_id):
            raise _broken(event, 3, f"The auth event {listed.event_id} was rejected.")
    if not version.room_id_is_create_hash and CREATE not in seen:  # 2.4
        raise _broken(event, 4, "The create event is not among the auth events.")
    for listed in auth_events:  # 2.5
        if listed.room_id != event.room_id:
            raise _broken(event, 5, f"The auth event {listed.event_id} is of another room.")


def _broken(event: Event, part: int, sentence: str) -> AuthRuleViolation:
    return broken(event.version, Rule.AUTH_EVENTS, str(part), sentence)


def _name(event: Event) -> str:
    return event.type if not event.state_key else f"{event.type} of {event.state_key}"
