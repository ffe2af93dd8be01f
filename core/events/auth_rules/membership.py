"""Reading memberships and join rules out of a state, the same way in every rule.

Spec: Client-Server API, `m.room.member` and `m.room.join_rules`.
"""

from __future__ import annotations

from collections.abc import Callable

from core.events.event import Event


def membership_of(state: Callable[[str, str], Event | None], user_id: str) -> str:
    """The user's membership: `leave` for one who never had any, or whose event says nothing that is a string."""
    event = state("m.room.member", user_id)
    if event is None:
        return "leave"
    membership = event.content.get("membership")
    return membership if isinstance(membership, str) else "leave"


def join_rule_of(state: Callable[[str, str], Event | None]) -> str:
    """The room's join rule: `invite` where no event says one that is a string."""
    event = state("m.room.join_rules", "")
    if event is None:
        return "invite"
    join_rule = event.content.get("join_rule")
    return join_rule if isinstance(join_rule, str) else "invite"
