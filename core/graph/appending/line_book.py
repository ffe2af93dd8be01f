"""The lines of one append: where states are, and where new ones will be written.

Nothing here decides what a state is; it decides how one is written down with the fewest rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from core.graph.lines import EMPTY, NO_LINE, Difference, StateMap, StateReader, difference
from core.graph.stored_event import StateRef
from core.ids import RoomNid
from core.storage.state_lines import Change, Line
from core.storage.writer import Transaction

DEEPEST_NESTING = 8
"""A line that would have more lines beneath it is written as a difference to the lowest of them."""
KEYFRAME_LEAST = 100
"""No keyframe is written for fewer changes than this."""
CANDIDATES = 4
"""How many known states a new one is compared with."""


class LineBook:
    """Reads states by reference and collects lines, changes and keyframes to be written."""

    def __init__(
        self, room: RoomNid, reader: StateReader, source: Transaction | None, take_nid: Callable[[], int]
    ) -> None:
        self.changes: dict[int, list[tuple[int, list[Change]]]] = {}
        """By line: (first index, changes) in order."""
        self.keyframes: list[tuple[int, int, StateMap]] = []
        self.changed_lines: dict[int, Line] = {}
        self.fresh_states: dict[StateRef, StateMap] = {}
        self._room = room
        self._reader = reader
        self._source = source
        self._take_nid = take_nid
        self._lines: dict[int, Line] = {}

    def state(self, ref: StateRef) -> StateMap:
        """The state at a reference, written or about to be."""
        found = self.fresh_states.get(ref)
        if found is None and self._source is not None:
            found = self._source.overlay.get(("state", ref))
        return found if found is not None else self._reader.read(ref, self._source)

    def line(self, nid: int) -> Line:
        """A line as it stands now."""
        found = self._lines.get(nid)
        if found is None and self._source is not None:
            found = self._source.overlay.get(("line", nid))
        if found is None:
            found = self._reader.line(nid, self._source)
        self._lines[nid] = found
        return found

    def new_main_line(self) -> int:
        """Begin a room's main line."""
        nid = self._take_nid()
        self._put(Line(nid, self._room, NO_LINE, 0, 0, 0, -1))
        return nid

    def adopt(self, line: Line, state: StateMap) -> None:
        """Take over a line that was written beforehand, with the state at its tip."""
        self._put(line)
        self.fresh_states[StateRef(line.line_nid, line.tip_index)] = state

    def extend(self, nid: int, changes: Sequence[tuple], state: StateMap) -> StateRef:  # type: ignore[type-arg]  # Change
        """Let changes happen at the tip of a line, after which it is at `state`; a keyframe where it is due."""
        line = self.line(nid)
        self.changes.setdefault(nid, []).append((line.tip_index + 1, list(changes)))
        line = replace(line, tip_index=line.tip_index + len(changes))
        if line.tip_index - max(line.keyframe_index, 0) > max(len(state), KEYFRAME_LEAST):
            self.keyframes.append((nid, line.tip_index, state))
            line = replace(line, keyframe_index=line.tip_index)
        self._put(line)
        ref = StateRef(nid, line.tip_index)
        self.fresh_states[ref] = state
        return ref

    def branch(self, base: StateRef, changes: Sequence[tuple], state: StateMap) -> StateRef:  # type: ignore[type-arg]  # as above
        """Write `state`, which is what `changes` make of the state at `base`: at the end of its line or on a new one.

        The main line is never extended here, since it is the history of the current state.
        """
        parent = self.line(base.line)
        if parent.parent_line != NO_LINE and parent.tip_index == base.index:
            return self.extend(base.line, changes, state)
        if parent.nesting + 1 > DEEPEST_NESTING:
            base = self._oldest_fork(base)
            changes = as_changes(difference(self.state(base), state))
            parent = self.line(base.line)
        if len(changes) > max(len(state) // 2, 1):
            return self._root(state)
        nid = self._take_nid()
        self._put(Line(nid, self._room, base.line, base.index, parent.nesting + 1, 0, -1))
        return self.extend(nid, changes, state)

    def write(self, state: StateMap, candidates: Iterable[StateRef]) -> StateRef:
        """A reference for `state`: that of a candidate which is equal, or a difference to the most similar one."""
        best: tuple[StateRef, Difference] | None = None
        for ref in list(dict.fromkeys(candidates))[:CANDIDATES]:
            found = difference(self.state(ref), state)
            if best is None or len(found) < len(best[1]):
                best = (ref, found)
            if not found:
                return ref
        if best is None:
            return self._root(state)
        return self.branch(best[0], as_changes(best[1]), state)

    def _root(self, state: StateMap) -> StateRef:
        """A line that begins with a keyframe."""
        nid = self._take_nid()
        self._put(Line(nid, self._room, NO_LINE, 0, 0, 0, 0))
        self.keyframes.append((nid, 0, state))
        ref = StateRef(nid, 0)
        self.fresh_states[ref] = state
        return ref

    def _oldest_fork(self, ref: StateRef) -> StateRef:
        """Where the lowest of the lines beneath `ref` is left."""
        while (line := self.line(ref.line)).parent_line != NO_LINE:
            ref = StateRef(line.parent_line, line.parent_index)
        return ref

    def _put(self, line: Line) -> None:
        self._lines[line.line_nid] = line
        self.changed_lines[line.line_nid] = line


def as_changes(found: Difference) -> list[Change]:
    """A difference in the form in which lines hold it."""
    return [(key[0], key[1], old, new) for key, old, new in found]


__all__ = ["EMPTY", "LineBook", "as_changes"]
