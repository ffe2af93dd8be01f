"""The two doors to state resolution; which algorithm runs is the room version's matter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from core.events.auth_chain import Checkpoint, no_checkpoint
from core.events.room_versions import RoomVersion, StateResolution
from core.events.state_resolution.conflicts import Conflict, find_conflict
from core.events.state_resolution.lookup import EventReader, Lookup
from core.events.state_resolution.ordering import CREATE
from core.events.state_resolution.trace import Trace
from core.events.state_resolution.v1 import resolve_v1
from core.events.state_resolution.v2 import resolve_v2, resolve_v2_1
from core.ids import StateKey

N = TypeVar("N")


def resolve(
    version: RoomVersion,
    state_sets: Sequence[Mapping[StateKey, N]],
    lookup: Lookup[N],
    checkpoint: Checkpoint = no_checkpoint,
    trace: Trace | None = None,
    create: N | None = None,
) -> dict[StateKey, N]:
    """The resolution of `state_sets`, as a new dict; the order of the sets does not matter.

    `create` is the room's create event, needed only where the states themselves do not have it and the room version
    leaves it out of `auth_events`. Cost: a copy of one state, and work in proportion to the differences.
    Spec: Room Versions, "State resolution". Raises: what the lookup and the checkpoint raise.
    """
    if not state_sets:
        return {}
    conflict = find_conflict(state_sets)
    resolved = dict(state_sets[0])
    for key, one in resolve_conflict(version, conflict, lookup, checkpoint, trace, create).items():
        if one is None:
            resolved.pop(key, None)
        else:
            resolved[key] = one
    return resolved


def resolve_conflict(
    version: RoomVersion,
    conflict: Conflict[N],
    lookup: Lookup[N],
    checkpoint: Checkpoint = no_checkpoint,
    trace: Trace | None = None,
    create: N | None = None,
) -> dict[StateKey, N | None]:
    """How the resolution differs from the unconflicted state: an event for each key, None where the key is left empty.

    Every conflicted key is in the answer. So are keys that no state has, where the auth difference brings one up.
    """
    if trace is not None:
        trace.algorithm = version.state_resolution.value
    if not conflict.keys:
        return {}
    reader = EventReader(lookup, checkpoint)
    if trace is not None:
        _note_conflict(conflict, reader, trace)
    if not version.room_id_is_create_hash:
        create = None
    elif create is None:
        create = _find_create(conflict, reader)
    if version.state_resolution is StateResolution.V1:
        resolved = resolve_v1(conflict, reader, trace)
    elif version.state_resolution is StateResolution.V2:
        resolved = resolve_v2(version, conflict, reader, create, trace)
    else:
        resolved = resolve_v2_1(version, conflict, reader, create, trace)
    return {**dict.fromkeys(conflict.keys), **resolved}


def _find_create(conflict: Conflict[N], reader: EventReader[N]) -> N | None:
    """The create event, if the states have one between them."""
    one = conflict.unconflicted(CREATE)
    if one is None:
        known = reader.state_events(row for row in conflict.keys.get(CREATE, ()) if row is not None)
        one = min(known, key=lambda create: reader.known(create).event_id, default=None)
    return one


def _note_conflict(conflict: Conflict[N], reader: EventReader[N], trace: Trace) -> None:
    reader.load(conflict.event_ids())
    for key, row in conflict.keys.items():
        found = (reader.event(one) for one in set(row) if one is not None)
        trace.note_conflict(key, (event.event_id for event in found if event is not None))
