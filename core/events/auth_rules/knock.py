"""Knocking: asking to be invited. Rule 4.6 in room version 7, 4.7 in 8 to 11, 5.7 in 12."""

from __future__ import annotations

from collections.abc import Callable

from core.errors import AuthRuleViolation
from core.events.auth_rules.membership import join_rule_of, membership_of
from core.events.auth_rules.numbering import Membership, broken_membership
from core.events.event import Event


def check_knock(event: Event, target: str, state: Callable[[str, str], Event | None]) -> None:
    """The rules for membership `knock`. Raises AuthRuleViolation."""
    join_rule = join_rule_of(state)
    if join_rule != "knock" and not (join_rule == "knock_restricted" and event.version.knock_restricted_joins):  # .1
        raise _broken(event, 1, "The join rule does not let users knock.")
    if event.sender != target:  # .2
        raise _broken(event, 2, "Only the user themselves can knock.")
    before = membership_of(state, event.sender)
    if before in ("ban", "invite", "join"):  # .3
        raise _broken(event, 4, f"{target} has the membership {before}.")


def _broken(event: Event, part: int, sentence: str) -> AuthRuleViolation:
    return broken_membership(event.version, Membership.KNOCK, str(part), sentence)
