"""State resolution 1, the flawed one that rooms of version 1 keep.

Key by key: power levels, join rules, memberships, then the rest. Within a phase each key is settled on its own, so the
order of keys does not matter. Spec: Room Version 1, "State resolution".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha1
from typing import TypeVar

from core.errors import AuthRuleViolation
from core.events.auth_rules import authorize
from core.events.event import Event
from core.events.state_resolution.conflicts import Conflict
from core.events.state_resolution.lookup import EventReader
from core.events.state_resolution.ordering import POWER_LEVELS
from core.events.state_resolution.trace import Trace
from core.ids import StateKey

N = TypeVar("N")

State = dict[StateKey, Event]


def resolve_v1(conflict: Conflict[N], reader: EventReader[N], trace: Trace | None) -> dict[StateKey, N]:
    """The keys on which the states disagree, resolved.

    A key that some states lack is no conflict here: what the others agree on is taken.
    """
    candidates: dict[StateKey, list[N]] = {}
    reader.load(conflict.event_ids())
    resolved: dict[StateKey, N] = {}
    state: State = {}
    for key, row in conflict.keys.items():
        ids = [one for one in dict.fromkeys(row) if one is not None]
        known = [one for one in ids if reader.event(one) is not None]
        if len(ids) == 1:
            resolved[key] = ids[0]
            state.update((key, reader.known(one)) for one in known)
        elif known:
            candidates[key] = sorted(known, key=lambda one: _order(reader.known(one)))
    for belongs in _PHASES:
        keys = [key for key in candidates if key not in resolved and belongs(key)]
        winners = {key: _settle(key, candidates[key], state, conflict, reader, trace) for key in keys}
        resolved.update(winners)
        state.update((key, reader.known(one)) for key, one in winners.items())
    return resolved


_PHASES: Sequence[Callable[[StateKey], bool]] = (
    lambda key: key == POWER_LEVELS,
    lambda key: key[0] == "m.room.join_rules",
    lambda key: key[0] == "m.room.member",
    lambda key: True,
)


def _order(event: Event) -> tuple[int, str]:
    """Deepest first, then the smaller hash of the event id."""
    return -event.depth, sha1(event.event_id.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()


def _settle(
    key: StateKey,
    deepest_first: Sequence[N],
    state: State,
    conflict: Conflict[N],
    reader: EventReader[N],
    trace: Trace | None,
) -> N:
    """The event that wins `key`."""
    local = dict(state)
    seen: dict[StateKey, str] = {}

    def look_up(event_type: str, state_key: str) -> Event | None:
        asked = (event_type, state_key)
        found = local.get(asked)
        if found is None and (one := conflict.unconflicted(asked)) is not None:
            found = reader.event(one)
        if found is not None:
            seen[asked] = found.event_id
        return found

    def allows(one: N) -> bool:
        event = reader.known(one)
        reader.steps.took(16)
        seen.clear()
        try:
            authorize(event, look_up)
        except AuthRuleViolation as refused:
            if trace is not None:
                trace.note_refusal(event, refused.rule, refused.sentence, seen)
            return False
        if trace is not None:
            trace.accepted.append(event.event_id)
        return True

    if key == POWER_LEVELS or key[0] in ("m.room.join_rules", "m.room.member"):
        # From the least deep on: the first is taken unseen, each next one if allowed after it, up to the first refusal.
        winner = deepest_first[-1]
        for one in reversed(deepest_first[:-1]):
            local[key] = reader.known(winner)
            if not allows(one):
                break
            winner = one
        return winner
    # The deepest that is allowed; where none is, the least deep, as every deployed server has it.
    return next((one for one in deepest_first if allows(one)), deepest_first[-1])
