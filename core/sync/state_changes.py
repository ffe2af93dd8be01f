"""What happened to a room's current state between two positions, by number.

A sync's `state` and `state_after` are made of this: the net change of each key, and what each event replaced, so that
the state at the start of a timeline can be told without reading it. Forks are no special case: the main line is the
history of the resolved state, whatever the events' own branches say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from core.graph.caches import ByteCache
from core.graph.graph import Graph
from core.ids import EventNid, RoomNid
from core.storage.database import Database
from core.storage.log import Kind, LogReader
from core.storage.state_lines import StateLineStore, StateNidKey
from core.sync.recent_lines import RecentLines

CHANGES_BYTES = 16 * 1024 * 1024
"""How much of what changed is kept in memory, for the others who are in the room."""
SHARED_CHANGES = 100
"""A window with more changes than this is not kept: it is what one client missed while away, and nobody else's."""
DELTAS_AT_ONCE = 1_000
"""A window with more deltas than this is treated as if the state had been replaced."""


@dataclass(frozen=True, slots=True)
class StateChanges:
    """The changes of one room in one window.

    `after_index` and `upto_index` are the main line's at its ends, None where nothing changed. `is_replaced` says that
    the two ends cannot be compared, since the main line is another.
    """

    net: dict[StateNidKey, tuple[int, int]] = field(default_factory=dict)
    """Key to (event at the start of the window, event at its end); 0 for none, equal where it ended as it began."""
    replaced: dict[tuple[StateNidKey, int], int] = field(default_factory=dict)
    """(key, event) to the event that it took the place of, or 0."""
    after_index: int | None = None
    upto_index: int | None = None
    is_replaced: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing happened."""
        return self.after_index is None and not self.is_replaced


NO_CHANGES = StateChanges()


class StateChangeReader:
    """Reads changes of state; from memory where it knows that there were none."""

    def __init__(self, database: Database, graph: Graph, log: LogReader, recent: RecentLines) -> None:
        self._database = database
        self._graph = graph
        self._log = log
        self._recent = recent
        self._lines = StateLineStore(database)
        self._changes: ByteCache[tuple[int, int, int], StateChanges] = ByteCache(CHANGES_BYTES)

    def between(self, room: RoomNid, since: int, upto: int) -> StateChanges:
        """The changes in the positions (since, upto]. Cost: nothing where there are none and memory reaches back."""
        recent = self._recent.newest_first(room, since, upto)
        if recent is not None:
            nids = [reference for _, kind, reference in recent if kind is Kind.STATE_DELTA]
            return self._of(room, nids) if nids else NO_CHANGES
        found = self._log.of_subject(Kind.STATE_DELTA, room, since, upto, DELTAS_AT_ONCE, newest_first=True)
        is_continued = bool(self._log.of_subject(Kind.STATE_DELTA, room, 0, since, 1, newest_first=True))
        if not found:
            return NO_CHANGES if is_continued else StateChanges(is_replaced=True)
        changes = self._of(room, [reference for _, reference in found])
        if not is_continued and changes.after_index != 0:  # a purge has taken the first of the window
            return StateChanges(is_replaced=True)
        return changes

    def _of(self, room: RoomNid, nids: Sequence[int]) -> StateChanges:
        ranges = sorted(self._graph.deltas.by_nids(nids).values(), key=lambda one: one.upto_index)
        line = self._graph.states.current(room).ref
        is_other = line is None or any(one.line_nid != line.line for one in ranges)
        if len(ranges) < len(nids) or len(nids) >= DELTAS_AT_ONCE or is_other:
            return StateChanges(is_replaced=True)
        return self.read(ranges[0].line_nid, ranges[0].after_index, ranges[-1].upto_index)

    def read(self, line: int, after: int, upto: int) -> StateChanges:
        """The changes between two indexes of a main line. Cost: a query, for the first who asks."""
        known = self._changes.get((line, after, upto))
        if known is None:
            known = self._read(line, after, upto)
            if len(known.net) <= SHARED_CHANGES:
                self._changes.put((line, after, upto), known, 500 + 300 * len(known.net))
        return known

    def _read(self, line: int, after: int, upto: int) -> StateChanges:
        changes = StateChanges({}, {}, after, upto)
        for type_nid, key_nid, old, new in self._lines.changes(self._database, line, after, upto):
            key = (type_nid, key_nid)
            known = changes.net.get(key)
            changes.net[key] = (old if known is None else known[0], new)
            if new:
                changes.replaced.setdefault((key, EventNid(new)), old)
        return changes
