"""State resolution 2 and 2.1: power events first, then the others along the mainline.

The two differ in the state the checks start from and in the set of events in question; each is written out below.
Spec: Room Version 2 and Room Version 12, "State resolution".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from core.events.room_versions import RoomVersion
from core.events.state_resolution.conflicts import Conflict, full_conflicted_set, full_conflicted_set_with_subgraph
from core.events.state_resolution.iterative_auth import IterativeAuth
from core.events.state_resolution.lookup import EventReader
from core.events.state_resolution.mainline import mainline_ordering
from core.events.state_resolution.ordering import (
    POWER_LEVELS,
    is_power_event,
    power_ordering,
    with_conflicted_auth_chain,
)
from core.events.state_resolution.trace import Trace
from core.ids import StateKey

N = TypeVar("N")


def resolve_v2(
    version: RoomVersion, conflict: Conflict[N], reader: EventReader[N], create: N | None, trace: Trace | None
) -> dict[StateKey, N]:
    """The keys that version 2 resolves, those left without an event not included. Room versions 2 to 11."""
    full = full_conflicted_set(conflict, reader, trace)
    checks = IterativeAuth(version, conflict.unconflicted, reader, create, trace)
    return _apply(full, checks, conflict.unconflicted, reader, create, trace)


def resolve_v2_1(
    version: RoomVersion, conflict: Conflict[N], reader: EventReader[N], create: N | None, trace: Trace | None
) -> dict[StateKey, N]:
    """As `resolve_v2`, with the conflicted state subgraph and from an empty state. From room version 12."""
    full = full_conflicted_set_with_subgraph(conflict, reader, trace)
    checks = IterativeAuth(version, _nothing, reader, create, trace)
    return _apply(full, checks, conflict.unconflicted, reader, create, trace)


def _nothing(key: StateKey) -> None:
    """The empty state."""


def _apply(
    full: set[N],
    checks: IterativeAuth[N],
    unconflicted: Callable[[StateKey], N | None],
    reader: EventReader[N],
    create: N | None,
    trace: Trace | None,
) -> dict[StateKey, N]:
    """Steps 1 to 5 of "Algorithm"."""
    power_events = {one for one in full if is_power_event(reader.known(one))}
    first = with_conflicted_auth_chain(power_events, full, reader)
    ordered = power_ordering(first, reader, create)
    checks.apply(ordered)
    rest = mainline_ordering(full - first, checks.at(POWER_LEVELS), reader)
    checks.apply([one for one, _ in rest])
    # 5. The unconflicted state has the last word.
    resolved = {key: one for key, one in checks.resolved.items() if unconflicted(key) is None}
    if trace is not None:
        trace.power_order = [reader.known(one).event_id for one in ordered]
        trace.mainline_order = [(reader.known(one).event_id, position) for one, position in rest]
        lost = [one for key, one in checks.resolved.items() if unconflicted(key) not in (None, one)]
        trace.overruled = sorted(reader.known(one).event_id for one in lost)
    return resolved
