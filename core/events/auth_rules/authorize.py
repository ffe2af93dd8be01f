"""The rules that look at a state of the room, in the order of the lists: the first that decides is the verdict."""

from __future__ import annotations

from collections.abc import Callable

from core.events.auth_rules.create import check_create
from core.events.auth_rules.member import check_member
from core.events.auth_rules.membership import membership_of
from core.events.auth_rules.numbering import Rule, broken
from core.events.auth_rules.power_levels import check_power_levels
from core.events.event import Event
from core.events.power_levels import PowerLevels
from core.ids import server_of

State = Callable[[str, str], Event | None]


def authorize(event: Event, state: State) -> None:
    """Check `event` against all rules that look at the room's state before it, or at nothing.

    `state(type, state_key)` returns the state event or None, the create event also in room version 12. Cost: three
    lookups for a message, up to seven for a membership. Raises AuthRuleViolation; returns nothing where it is allowed.
    """
    if event.type == "m.room.create":
        check_create(event)
        return
    version = event.version
    create = _create_event(event, state)
    if create.content.get("m.federate") is False and server_of(event.sender) != server_of(create.sender):
        raise broken(version, Rule.FEDERATE, "", "The room is closed to other servers than its creator's.")
    if event.type == "m.room.aliases" and version.special_cases_aliases:
        _check_aliases(event)
        return
    if event.type == "m.room.member":
        check_member(event, state, create)
        return
    if membership_of(state, event.sender) != "join":
        raise broken(version, Rule.JOINED, "", f"{event.sender} is not joined to the room.")
    levels_event = state("m.room.power_levels", "")
    levels = PowerLevels.from_events(create, levels_event)
    own = levels.of_user(event.sender)
    if event.type == "m.room.third_party_invite":
        if own < levels.to("invite"):
            raise broken(
                version, Rule.THIRD_PARTY_INVITE, "1", f"Inviting takes level {levels.to('invite')}; {own} is too low."
            )
        return
    required = levels.to_send(event.type, event.state_key is not None)
    if required > own:
        raise broken(version, Rule.REQUIRED_LEVEL, "", f"{event.type} takes level {required}; {own} is too low.")
    if event.state_key is not None and event.state_key.startswith("@") and event.state_key != event.sender:
        raise broken(version, Rule.STATE_KEY, "", "State filed under a user's id may be sent by that user only.")
    if event.type == "m.room.power_levels":
        check_power_levels(event, levels_event, create, own)
    elif event.type == "m.room.redaction" and version.checks_redaction_sender:
        _check_redaction(event, own, levels)


def _create_event(event: Event, state: State) -> Event:
    """The create event of the room. Its absence breaks rule 2.4, or 2 from room version 12."""
    create = state("m.room.create", "")
    if event.version.room_id_is_create_hash:
        if create is None or create.event_id[1:] != event.room_id[1:]:
            raise broken(event.version, Rule.ROOM_ID, "", "The room id does not name the room's create event.")
    elif create is None:
        raise broken(event.version, Rule.AUTH_EVENTS, "4", "The room has no create event.")
    return create


def _check_aliases(event: Event) -> None:
    """Rule 4, until room version 5."""
    if event.state_key is None:
        raise broken(event.version, Rule.ALIASES, "1", "Aliases must have a state key.")
    if server_of(event.sender) != event.state_key:
        raise broken(event.version, Rule.ALIASES, "2", "Aliases are filed under the sender's own server.")


def _check_redaction(event: Event, own: int, levels: PowerLevels) -> None:
    """Rule 11, room versions 1 and 2: who may redact what others sent."""
    if own >= levels.to("redact"):  # 11.1
        return
    if event.redacts is not None and server_of(event.redacts) == server_of(event.event_id):  # 11.2
        return
    raise broken(event.version, Rule.REDACTION, "3", f"Redacting takes level {levels.to('redact')}; {own} is too low.")
