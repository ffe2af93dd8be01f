"""Joining: the creator's first join, one's own, invited, public and restricted ones.

Rule 5.2 until room version 5, 4.2 in 6 and 7, 4.3 in 8 to 11, 5.3 in 12.
"""

from __future__ import annotations

from collections.abc import Callable

from core.errors import AuthRuleViolation
from core.events.auth_rules.membership import join_rule_of, membership_of
from core.events.auth_rules.numbering import Membership, broken_membership
from core.events.event import Event
from core.events.power_levels import PowerLevels
from core.events.room_versions import RoomVersion

State = Callable[[str, str], Event | None]


def check_join(event: Event, target: str, state: State, create: Event) -> None:
    """The rules for membership `join`. Raises AuthRuleViolation."""
    version = event.version
    if event.prev_event_ids == (create.event_id,) and target == _first_member(create):  # .1
        return
    if event.sender != target:  # .2
        raise _broken(version, 2, "Only the user themselves can join.")
    before = membership_of(state, target)
    if before == "ban":  # .3
        raise _broken(version, 3, f"{target} is banned.")
    join_rule = join_rule_of(state)
    if join_rule == "invite" or (join_rule == "knock" and version.knocking):  # .4
        if before not in ("invite", "join"):
            raise _broken(version, _otherwise(version), f"{target} is not invited.")
    elif is_restricted(join_rule, version):  # .5, from room version 8
        if before not in ("invite", "join"):
            _check_authorizing_user(event, state, create)
    elif join_rule != "public":  # the last but one
        raise _broken(version, _otherwise(version), "The join rule is none that this room version lets join by.")


def is_restricted(join_rule: str, version: RoomVersion) -> bool:
    """Whether the join rule lets members of other rooms in, in this room version."""
    return (join_rule == "restricted" and version.restricted_joins) or (
        join_rule == "knock_restricted" and version.knock_restricted_joins
    )


def _first_member(create: Event) -> object:
    """Who may join right after the create event: its `creator` until room version 10, its sender from 11."""
    return create.sender if create.version.implicit_creator else create.content.get("creator")


def _check_authorizing_user(event: Event, state: State, create: Event) -> None:
    """.5.2: the user in whose name the join was allowed is joined and may invite."""
    authorizer = event.content.get("join_authorised_via_users_server")
    if not isinstance(authorizer, str):
        raise _broken(event.version, "5.2", "No user authorized this join.")
    if membership_of(state, authorizer) != "join":
        raise _broken(event.version, "5.2", f"{authorizer}, who is to authorize the join, is not joined.")
    levels = PowerLevels.from_events(create, state("m.room.power_levels", ""))
    if levels.of_user(authorizer) < levels.to("invite"):
        raise _broken(event.version, "5.2", f"{authorizer}, who is to authorize the join, may not invite.")


def _otherwise(version: RoomVersion) -> int:
    """The number of "Otherwise, reject"."""
    return 7 if version.restricted_joins else 6


def _broken(version: RoomVersion, part: int | str, sentence: str) -> AuthRuleViolation:
    return broken_membership(version, Membership.JOIN, str(part), sentence)
