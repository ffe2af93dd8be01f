"""Mainline ordering: in which order the events without power are tried.

The mainline is the history of the power levels just resolved. An event whose authority rests on an older part of it
goes first. Spec: Room Version 2, "Mainline ordering".

Both the mainline and the histories of the events are read only until they meet, so that a room with 10,000 old power
levels costs nothing; the meeting point does not depend on how far either was read. They hold ids, not events.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Generic, TypeVar

from core.events.state_resolution.lookup import EventReader
from core.events.state_resolution.ordering import POWER_LEVELS

N = TypeVar("N")


class Mainline(Generic[N]):
    """The mainline of `power_levels`, and where events stand on it."""

    def __init__(self, power_levels: N | None, reader: EventReader[N]) -> None:
        self._reader = reader
        self._next = power_levels
        self._places: dict[N, int] = {}
        self._known: dict[N, int | None] = {}
        self._parents: dict[N, N | None] = {}

    def position(self, one: N) -> int | None:
        """The mainline position of the event, 0 being the newest; None (infinity) where it rests on no part of it."""
        if self._next is None and not self._places:
            return None
        path: list[N] = []
        on_path: set[N] = set()
        meeting: N | None = None
        place: int | None = None
        step = self._power_levels_of(one)
        while step is not None and step not in self._places and step not in self._known and step not in on_path:
            path.append(step)
            on_path.add(step)
            grown = self._grow()
            if grown is not None and grown in on_path:
                meeting = grown
                break
            step = self._power_levels_of(step)
        if meeting is None:
            meeting = self._grow_until(on_path) if step is None else step
        if meeting is not None:
            place = self._places[meeting] if meeting in self._places else self._known.get(meeting)
        # What lies before the meeting point has the same place; what lies behind it has places of its own.
        for older in path:
            if older == meeting:
                break
            self._known[older] = place
        return place

    def _grow(self) -> N | None:
        """Read one more event of the mainline; None at its end."""
        grown = self._next
        if grown in self._places:  # a cycle, which only invented ids can make
            self._next = grown = None
        if grown is not None:
            self._places[grown] = len(self._places)
            self._next = self._power_levels_of(grown)
        return grown

    def _grow_until(self, wanted: Collection[N]) -> N | None:
        """Read on until the mainline meets `wanted`, whose history ended first; the event where it does."""
        while wanted and (grown := self._grow()) is not None:
            if grown in wanted:
                return grown
        return None

    def _power_levels_of(self, one: N) -> N | None:
        """The power levels event among the auth events of `one`; the first, if an event lists more."""
        if one not in self._parents:
            self._reader.steps.took(8)
            self._parents[one] = self._reader.auth_event_at(one, POWER_LEVELS)
        return self._parents[one]


def mainline_ordering(ids: Collection[N], power_levels: N | None, reader: EventReader[N]) -> list[tuple[N, int | None]]:
    """Sort `ids` by the mainline ordering based on `power_levels`, with the position of each."""
    mainline = Mainline(power_levels, reader)
    placed = []
    for one in ids:
        event, position = reader.known(one), mainline.position(one)
        farthest_first = float("-inf") if position is None else -position
        placed.append((farthest_first, event.origin_server_ts, event.event_id, one, position))
    placed.sort(key=lambda entry: entry[:3])
    return [(one, position) for *_, one, position in placed]
