"""Reading states: from a reference to a map, by the shortest way over lines and keyframes.

A state is an `immutables.Map` from (type, state key) to event, all by number. Maps share what they have in common, so
the states of a room in memory cost about what their differences do.
"""

from __future__ import annotations

from collections.abc import Iterable

from immutables import Map

from core.graph.caches import ByteCache
from core.graph.stored_event import StateRef
from core.ids import EventNid
from core.storage.database import Database
from core.storage.state_lines import Line, StateLineStore, StateNidKey, unpack_state
from core.storage.writer import Transaction

StateMap = Map[StateNidKey, EventNid]
Difference = list[tuple[StateNidKey, EventNid | None, EventNid | None]]
"""(key, event before, event after); None where the key is empty."""

CACHE_BYTES = 32 * 1024 * 1024
"""How much of states is kept in memory, unless the composition root says otherwise."""
_ENTRY_BYTES = 150
_SHARED_BYTES = 1_500

EMPTY: StateMap = Map()
NO_LINE = 0


class StateReader:
    """States by reference. Nothing here writes."""

    def __init__(self, database: Database, store: StateLineStore, cache_bytes: int = CACHE_BYTES) -> None:
        self._database = database
        self._store = store
        self._cache: ByteCache[StateRef, StateMap] = ByteCache(cache_bytes)

    def read(self, ref: StateRef, source: Transaction | None = None) -> StateMap:
        """The state at `ref`. Cost: about its size, from the database; nothing where it is cached.

        `source` is a transaction whose own writes are to be seen. Raises KeyError for a line that was never written.
        """
        found = self._cache.get(ref)
        if found is not None or ref.line == NO_LINE:
            return EMPTY if found is None else found
        where = source or self._database
        line = self.line(ref.line, source)
        keyframe = self._store.keyframe(where, ref.line, ref.index) if line.keyframe_index >= 0 else None
        if keyframe is not None:
            state, start = dict(unpack_state(keyframe[1])), keyframe[0]
            apply_changes(state, self._store.changes(where, ref.line, start, ref.index))
            result: StateMap = Map(state)
        else:
            parent = self.read(StateRef(line.parent_line, line.parent_index), source) if line.parent_line else EMPTY
            result = _changed(parent, self._store.changes(where, ref.line, 0, ref.index))
        if source is None:
            self.keep(ref, result, is_shared=keyframe is None and line.parent_line != NO_LINE)
        return result

    def value(self, ref: StateRef, key: StateNidKey) -> EventNid | None:
        """One entry of the state at `ref`, without loading the rest: one or two seeks a line, of at most nine lines."""
        found = self._cache.get(ref)
        if found is not None:
            return found.get(key)
        at = ref
        while at.line != NO_LINE:
            latest = self._store.latest(self._database, at.line, key, at.index)
            if latest is not None:
                return EventNid(latest[1]) if latest[1] else None
            line = self.line(at.line)
            if line.parent_line == NO_LINE:
                first = self._store.first_keyframe(at.line, at.index)
                return None if first is None else self.read(StateRef(at.line, first)).get(key)
            at = StateRef(line.parent_line, line.parent_index)
        return None

    def line(self, nid: int, source: Transaction | None = None) -> Line:
        """A line's row. Raises KeyError."""
        return self._store.lines(source or self._database, (nid,))[nid]

    def keep(self, ref: StateRef, state: StateMap, is_shared: bool) -> None:
        """Put a committed state into the cache; `is_shared` says that a map it grew from is held as well."""
        self._cache.put(ref, state, _SHARED_BYTES if is_shared else _SHARED_BYTES + _ENTRY_BYTES * len(state))

    def cached(self, ref: StateRef) -> StateMap | None:
        """The state at `ref` if it is in memory."""
        return self._cache.get(ref)

    def forget(self) -> None:
        """Let go of all states: lines have been written anew."""
        self._cache.clear()


def apply_changes(state: dict[StateNidKey, EventNid], changes: Iterable[tuple[int, int, int, int]]) -> None:
    """Let (type, key, old, new) happen to a state, in place."""
    for type_nid, key_nid, _, new in changes:
        if new:
            state[type_nid, key_nid] = new  # type: ignore[index,assignment]  # plain ints are the numbers
        else:
            state.pop((type_nid, key_nid), None)  # type: ignore[arg-type]  # as above


def _changed(state: StateMap, changes: list[tuple]) -> StateMap:  # type: ignore[type-arg]  # rows have no types
    if len(changes) > 64 and not state:
        entries: dict[StateNidKey, EventNid] = {}
        apply_changes(entries, changes)
        return Map(entries)
    mutation = state.mutate()
    for type_nid, key_nid, _, new in changes:
        if new:
            mutation[type_nid, key_nid] = new
        else:
            mutation.pop((type_nid, key_nid), None)
    return mutation.finish()


def difference(before: StateMap, after: StateMap) -> Difference:
    """What must happen to `before` to make it `after`. Cost: one look at each entry of both."""
    if before is after:
        return []
    get = before.get
    found: Difference = [(key, get(key), event) for key, event in after.items() if get(key) != event]
    if len(before) + sum(1 for _, old, _ in found if old is None) != len(after):
        found += [(key, event, None) for key, event in before.items() if key not in after]
    return found
