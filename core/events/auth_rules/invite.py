"""Inviting: by a member with the power to, or by proof that an invited third-party identifier is now the target's.

Rule 5.3 until room version 5, 4.3 in 6 and 7, 4.4 in 8 to 11, 5.4 in 12.
"""

from __future__ import annotations

from collections.abc import Callable

from core.errors import AuthRuleViolation
from core.events.auth_rules.membership import membership_of
from core.events.auth_rules.numbering import Membership, broken_membership
from core.events.auth_rules.third_party_invite import check_third_party_invite
from core.events.event import Event
from core.events.power_levels import PowerLevels

State = Callable[[str, str], Event | None]


def check_invite(event: Event, target: str, state: State, create: Event) -> None:
    """The rules for membership `invite`. Raises AuthRuleViolation."""
    if "third_party_invite" in event.content:  # .1
        check_third_party_invite(event, target, state)
        return
    if membership_of(state, event.sender) != "join":  # .2
        raise _broken(event, 2, f"{event.sender} is not joined to the room.")
    before = membership_of(state, target)
    if before in ("join", "ban"):  # .3
        raise _broken(event, 3, f"{target} is {'joined already' if before == 'join' else 'banned'}.")
    levels = PowerLevels.from_events(create, state("m.room.power_levels", ""))
    own, required = levels.of_user(event.sender), levels.to("invite")
    if own < required:  # .4
        raise _broken(event, 5, f"Inviting takes level {required}; {own} is too low.")


def _broken(event: Event, part: int, sentence: str) -> AuthRuleViolation:
    return broken_membership(event.version, Membership.INVITE, str(part), sentence)
