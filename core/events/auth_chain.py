"""Auth chains: the events on which an event's authority rests.

State resolution, `/event_auth` and joins share these walks. They load nothing: the caller hands in the edges. All of
them hold ids only, never events, so a chain of 100,000 costs a few megabytes.

Depth is an event's own claim, so no walk relies on it. A caller that keeps *auth levels* (one more than the highest
level of an event's auth events, 0 without any) hands in an `AuthLevels`, and the walks stop where the sides become one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from heapq import heappop, heappush
from typing import Generic, Protocol, TypeVar, runtime_checkable

N = TypeVar("N")
"""The id of an event: an `EventId`, or the integer a server keeps for it."""

Checkpoint = Callable[[], None]
"""Called every few hundred steps of a long walk, so that a server may do something else in between."""

STEPS_PER_CHECKPOINT = 256


def no_checkpoint() -> None:
    """The checkpoint of callers that have nothing else to do."""


class AuthEdges(Protocol[N]):
    """Who knows which events an event lists in `auth_events`."""

    def auth_edges(self, ids: Collection[N]) -> Mapping[N, Collection[N]]:
        """The auth events of each of `ids`; an id that is not known is left out."""


@runtime_checkable
class AuthLevels(Protocol[N]):
    """An `AuthEdges` that also keeps auth levels, which lets walks stop early."""

    def auth_levels(self, ids: Collection[N]) -> Mapping[N, int]:
        """The auth level of each of `ids`: greater than that of each of its auth events."""


class Steps:
    """Counts work and calls the checkpoint at each `STEPS_PER_CHECKPOINT` of it."""

    def __init__(self, checkpoint: Checkpoint = no_checkpoint) -> None:
        self._checkpoint = checkpoint
        self._left = STEPS_PER_CHECKPOINT

    def took(self, count: int) -> None:
        """Note that `count` small steps were done."""
        self._left -= count
        if self._left <= 0:
            self._left = STEPS_PER_CHECKPOINT
            self._checkpoint()


def auth_level(levels_of_auth_events: Iterable[int]) -> int:
    """The auth level of an event whose auth events have these."""
    return max(levels_of_auth_events, default=-1) + 1


def auth_chain(roots: Collection[N], edges: AuthEdges[N], checkpoint: Checkpoint = no_checkpoint) -> frozenset[N]:
    """Collect every event reachable from `roots` along `auth_events`; a root only if another rests on it.

    Spec: Room Versions, "Auth chain". Cost: one lookup per level of the chain.
    """
    steps = Steps(checkpoint)
    found: set[N] = set()
    frontier: Collection[N] = set(roots)
    while frontier:
        parents: set[N] = set()
        for auth in edges.auth_edges(frontier).values():
            parents.update(auth)
            steps.took(1)
        frontier = parents - found
        found |= frontier
    return frozenset(found)


def auth_difference(
    sides: Sequence[Collection[N]],
    shared: Callable[[], Iterable[N]],
    edges: AuthEdges[N],
    checkpoint: Checkpoint = no_checkpoint,
) -> set[N]:
    """The events that are in the auth chain of some sides, but not of all of them.

    `sides` are the events peculiar to each state, `shared()` those all states have in common; a state's own events
    count as part of its chain, as every deployed server has it. `shared` is asked only where it can matter.
    Spec: Room Versions, "Auth difference".
    """
    steps = Steps(checkpoint)
    if isinstance(edges, AuthLevels):
        return _LeveledWalk(edges, edges, steps, len(sides)).difference(sides, shared)
    return _whole_difference(sides, shared, edges, steps)


def _whole_difference(
    sides: Sequence[Collection[N]], shared: Callable[[], Iterable[N]], edges: AuthEdges[N], steps: Steps
) -> set[N]:
    """Mark each event with the sides that reach it, then unmark what the shared events reach."""
    everyone = (1 << len(sides)) - 1
    marks: dict[N, int] = {}
    for number, side in enumerate(sides):
        for one in side:
            marks[one] = marks.get(one, 0) | 1 << number
    frontier = dict(marks)
    while frontier:
        arrived: dict[N, int] = {}
        for one, parents in edges.auth_edges(frontier.keys()).items():
            bits = frontier[one]
            for parent in parents:
                news = bits & ~marks.get(parent, 0)
                if news:
                    marks[parent] = marks.get(parent, 0) | news
                    arrived[parent] = arrived.get(parent, 0) | news
            steps.took(1)
        frontier = arrived
    candidates = {one for one, mark in marks.items() if mark != everyone}
    if not candidates:
        return candidates
    common = {one for one, mark in marks.items() if mark == everyone}
    reached = _reached(set(shared()), common, edges, steps)
    return candidates - reached


def _reached(roots: set[N], without: set[N], edges: AuthEdges[N], steps: Steps) -> set[N]:
    """`roots` and their chains, not looking behind the events of `without`."""
    found = set(roots)
    frontier = roots - without
    while frontier:
        parents: set[N] = set()
        for auth in edges.auth_edges(frontier).values():
            parents.update(auth)
            steps.took(1)
        frontier = parents - found - without
        found |= frontier
    return found


class _LeveledWalk(Generic[N]):
    """The same difference, from the highest level down: an event is settled when its level comes up."""

    def __init__(self, edges: AuthEdges[N], levels: AuthLevels[N], steps: Steps, sides: int) -> None:
        self._edges, self._levels, self._steps = edges, levels, steps
        self._everyone = (1 << sides) - 1
        self._waiting: dict[int, dict[N, int]] = defaultdict(dict)
        self._heap: list[int] = []
        self._partial = 0
        """How many of those that wait are not known to be reached by every side."""

    def difference(self, sides: Sequence[Collection[N]], shared: Callable[[], Iterable[N]]) -> set[N]:
        for number, side in enumerate(sides):
            self._add(dict.fromkeys(side, 1 << number))
        candidates: set[N] = set()
        floor = 0
        while self._partial:
            level, batch = self._next()
            partial = {one for one, mark in batch.items() if mark != self._everyone}
            candidates |= partial
            floor = level if partial else floor
            self._follow(batch)
        if not candidates:
            return candidates
        self._waiting.clear()
        self._heap.clear()
        self._add(dict.fromkeys(shared(), self._everyone), floor)
        while self._heap:
            _, batch = self._next()
            candidates.difference_update(batch)
            self._follow(batch, floor)
        return candidates

    def _next(self) -> tuple[int, dict[N, int]]:
        """The events of the highest level that waits: all that could reach them were followed before."""
        level = -heappop(self._heap)
        batch = self._waiting.pop(level)
        self._partial -= sum(mark != self._everyone for mark in batch.values())
        return level, batch

    def _follow(self, batch: Mapping[N, int], floor: int = 0) -> None:
        arrived: dict[N, int] = {}
        for one, parents in self._edges.auth_edges(batch.keys()).items():
            for parent in parents:
                arrived[parent] = arrived.get(parent, 0) | batch[one]
            self._steps.took(1)
        self._add(arrived, floor)

    def _add(self, marks: Mapping[N, int], floor: int = 0) -> None:
        for one, level in self._levels.auth_levels(marks.keys()).items():
            if level < floor:
                continue
            if level not in self._waiting:
                heappush(self._heap, -level)
            batch = self._waiting[level]
            before = batch.get(one)
            batch[one] = after = (before or 0) | marks[one]
            self._partial += (after != self._everyone) - (before is not None and before != self._everyone)


def paths_between(ids: Collection[N], edges: AuthEdges[N], checkpoint: Checkpoint = no_checkpoint) -> set[N]:
    """Every event on a path along `auth_events` from one of `ids` to another, the ends included.

    Spec: Room Version 12, "Conflicted state subgraph".
    """
    steps = Steps(checkpoint)
    levels = edges if isinstance(edges, AuthLevels) else None
    floor = min(levels.auth_levels(ids).values(), default=0) if levels is not None else 0
    cited_by: dict[N, list[N]] = defaultdict(list)
    seen: set[N] = set(ids)
    frontier: Collection[N] = seen.copy()
    while frontier:
        parents: set[N] = set()
        for one, auth in edges.auth_edges(frontier).items():
            for parent in auth:
                cited_by[parent].append(one)
                parents.add(parent)
            steps.took(1)
        frontier = parents - seen
        if levels is not None and frontier:
            frontier = {one for one, level in levels.auth_levels(frontier).items() if level >= floor}
        seen.update(frontier)
    on_path: set[N] = set(ids)
    waiting = list(on_path)
    while waiting:
        for citing in cited_by.get(waiting.pop(), ()):
            if citing not in on_path:
                on_path.add(citing)
                waiting.append(citing)
        steps.took(1)
    return on_path
