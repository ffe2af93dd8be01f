"""State resolution over stored states: only where they differ are numbers turned into names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from core.events.event import Event
from core.events.room_versions import RoomVersion
from core.events.state_resolution import Conflict, resolve_conflict
from core.graph.appending.known import KnownEvents
from core.graph.appending.numbering import number_of
from core.graph.lines import StateMap
from core.ids import EventNid, StateKey
from core.storage.interning import Interner
from core.storage.state_lines import StateNidKey

Checkpoint = Callable[[], None]


def resolve_states(
    version: RoomVersion, states: Sequence[StateMap], known: KnownEvents, texts: Interner, checkpoint: Checkpoint
) -> StateMap:
    """The resolution of states of one room; the first shares its structure with the answer.

    Cost: a look at each entry of each state, and work in proportion to the differences.
    """
    conflict = _conflict(states, texts)
    result = states[0]
    if not conflict.keys:
        return result
    mutation = result.mutate()
    for key, event in resolve_conflict(version, conflict, known, checkpoint).items():
        nid_key = (number_of(texts, key[0]), number_of(texts, key[1]))
        if event is None:
            mutation.pop(nid_key, None)
        else:
            mutation[nid_key] = event
    return mutation.finish()


def state_lookup(state: StateMap, known: KnownEvents, texts: Interner) -> Callable[[str, str], Event | None]:
    """A state in the form in which the auth rules ask for one."""
    find, get, by_nid = texts.find, state.get, known.by_nid

    def lookup(event_type: str, state_key: str) -> Event | None:
        nid = get((find(event_type), find(state_key)))  # type: ignore[arg-type]  # None is in no key
        return None if nid is None else by_nid(nid).event

    return lookup


def _conflict(states: Sequence[StateMap], texts: Interner) -> Conflict[EventNid]:
    first = states[0]
    conflicted: set[StateNidKey] = set()
    for other in states[1:]:
        get = other.get
        conflicted.update(key for key, event in first.items() if get(key) != event)
        conflicted.update(key for key in other if key not in first)
    names = texts.texts({nid for key in conflicted for nid in key})
    keys = {(names[key[0]], names[key[1]]): tuple(state.get(key) for state in states) for key in conflicted}

    def unconflicted(key: StateKey) -> EventNid | None:
        if key in keys:
            return None
        type_nid, key_nid = texts.find(key[0]), texts.find(key[1])
        return None if type_nid is None or key_nid is None else first.get((type_nid, key_nid))

    def unconflicted_ids() -> Iterator[EventNid]:
        return (event for key, event in first.items() if key not in conflicted)

    return Conflict(dict(sorted(keys.items())), unconflicted, unconflicted_ids)
