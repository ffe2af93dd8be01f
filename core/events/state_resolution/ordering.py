"""Reverse topological power ordering: in which order power events are tried.

An event follows the events it rests on; among those that could come next, the more powerful sender goes first, then the
earlier timestamp, then the smaller event id. Spec: Room Version 2, "Reverse topological power ordering".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from heapq import heapify, heappop, heappush
from typing import Generic, TypeVar

from core.events.event import Event
from core.events.power_levels import PowerLevels
from core.events.state_resolution.lookup import EventReader
from core.ids import StateKey

N = TypeVar("N")

CREATE: StateKey = ("m.room.create", "")
POWER_LEVELS: StateKey = ("m.room.power_levels", "")

_SOURCES_OF_POWER = frozenset({"m.room.create", "m.room.power_levels"})
_POWER_TYPES = frozenset({"m.room.create", "m.room.power_levels", "m.room.join_rules"})


def is_power_event(event: Event) -> bool:
    """Whether the event might take from someone the ability to do something. Spec: "Power events".

    The create event counts as one with every deployed server, though the specification does not list it.
    """
    if event.type in _POWER_TYPES:
        return event.state_key == ""
    if event.type == "m.room.member":
        return event.content.get("membership") in ("leave", "ban") and event.sender != event.state_key
    return False


def with_conflicted_auth_chain(ids: Iterable[N], conflicted: Collection[N], reader: EventReader[N]) -> set[N]:
    """`ids` and what they rest on, going through events of the full conflicted set alone. Spec: "Algorithm", step 1."""
    found = set(ids)
    waiting = list(found)
    while waiting:
        for auth in reader.auth_events(waiting.pop()):
            if auth in conflicted and auth not in found:
                found.add(auth)
                waiting.append(auth)
        reader.steps.took(1)
    return found


def power_ordering(ids: Collection[N], reader: EventReader[N], create: N | None) -> list[N]:
    """Sort `ids` by reverse topological power ordering, earliest first (Kahn's algorithm with a heap).

    `create` is the create event of rooms whose events do not list it.
    """
    reader.load(auth for one in ids for auth in reader.auth_events(one))
    powers = _SenderPowers(reader, create)
    blocked: dict[N, int] = {}
    followers: dict[N, list[N]] = defaultdict(list)
    for one in ids:
        auth_events = {auth for auth in reader.auth_events(one) if auth in ids}
        blocked[one] = len(auth_events)
        for auth in auth_events:
            followers[auth].append(one)
    ready = [(powers.sort_key(one), one) for one in ids if not blocked[one]]
    heapify(ready)
    ordered: list[N] = []
    while ready:
        _, one = heappop(ready)
        ordered.append(one)
        for follower in followers[one]:
            blocked[follower] -= 1
            if not blocked[follower]:
                heappush(ready, (powers.sort_key(follower), follower))
        reader.steps.took(1)
    return ordered


class _SenderPowers(Generic[N]):
    """The power of senders according to their events' own auth events."""

    def __init__(self, reader: EventReader[N], create: N | None) -> None:
        self._reader = reader
        self._create = create
        self._levels: dict[tuple[N | None, N | None], PowerLevels] = {}

    def sort_key(self, one: N) -> tuple[int, int, str]:
        """Smaller goes first. The event id makes it unique, so ids themselves are never compared."""
        event = self._reader.known(one)
        levels = self._levels_at(one)
        power = 0 if levels is None else levels.of_user(event.sender)
        return (-power, event.origin_server_ts, event.event_id)

    def _levels_at(self, one: N) -> PowerLevels | None:
        """The power levels that the auth events of `one` tell of; None where they tell nothing."""
        sources: dict[StateKey, N] = {}
        for auth in self._reader.auth_events(one):
            event = self._reader.event(auth)
            if event is not None and event.state_key == "" and event.type in _SOURCES_OF_POWER:
                sources.setdefault(event.key, auth)
        power_levels, create = sources.get(POWER_LEVELS), sources.get(CREATE, self._create)
        if power_levels is None and create is None:
            return None
        found = self._levels.get((power_levels, create))
        if found is None:
            by_key = {POWER_LEVELS: power_levels, CREATE: create}

            def state(event_type: str, state_key: str) -> Event | None:
                source = by_key.get((event_type, state_key))
                return None if source is None else self._reader.event(source)

            found = self._levels[power_levels, create] = PowerLevels.of(state)
        return found
