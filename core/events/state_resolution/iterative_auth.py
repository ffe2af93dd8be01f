"""Iterative auth checks: apply events to a state one after the other, leaving out those that are not allowed.

Spec: Room Version 2, "Iterative auth checks".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

from core.errors import AuthRuleViolation
from core.events.auth_rules import auth_event_keys, authorize
from core.events.event import Event
from core.events.room_versions import RoomVersion
from core.events.state_resolution.lookup import EventReader
from core.events.state_resolution.ordering import CREATE
from core.events.state_resolution.trace import Trace
from core.ids import StateKey

N = TypeVar("N")
_CHUNK = 100


class IterativeAuth(Generic[N]):
    """A state under construction: `resolved` lies over the state it started from."""

    def __init__(
        self,
        version: RoomVersion,
        start: Callable[[StateKey], N | None],
        reader: EventReader[N],
        create: N | None,
        trace: Trace | None,
    ) -> None:
        self.resolved: dict[StateKey, N] = {}
        self._version = version
        self._start = start
        self._reader = reader
        self._create = create
        self._trace = trace

    def at(self, key: StateKey) -> N | None:
        """The event the state has under `key` by now."""
        one = self.resolved.get(key)
        return self._start(key) if one is None else one

    def apply(self, ordered: Sequence[N]) -> None:
        """Try the events in their order."""
        for begin in range(0, len(ordered), _CHUNK):
            chunk = ordered[begin : begin + _CHUNK]
            self._prefetch(chunk)
            for one in chunk:
                self._try(one)
                self._reader.steps.took(16)

    def _prefetch(self, chunk: Sequence[N]) -> None:
        """Read in one go what the checks of these events will ask for."""
        reader = self._reader
        wanted: set[N | None] = {auth for one in chunk for auth in reader.auth_events(one)}
        for one in chunk:
            event = reader.known(one)
            keys = auth_event_keys(self._version, event.type, event.sender, event.state_key, event.content)
            wanted.update(self._start(key) for key in keys)
        reader.load(one for one in wanted if one is not None)

    def _try(self, one: N) -> None:
        event = self._reader.known(one)
        state = _StateForCheck(self._cited(one), self.at, self._reader, self._create)
        try:
            authorize(event, state)
        except AuthRuleViolation as refused:
            if self._trace is not None:
                self._trace.note_refusal(event, refused.rule, refused.sentence, state.consulted())
            return
        self.resolved[event.key] = one
        if self._trace is not None:
            self._trace.accepted.append(event.event_id)

    def _cited(self, one: N) -> Mapping[StateKey, N]:
        """The event's auth events that were not rejected, for keys the state does not have."""
        cited: dict[StateKey, N] = {}
        for auth in self._reader.auth_events(one):
            event = self._reader.event(auth)
            if event is not None and event.state_key is not None and not self._reader.lookup.is_rejected(auth):
                cited.setdefault(event.key, auth)
        return cited


class _StateForCheck(Generic[N]):
    """What the auth rules see: the state so far, the event's auth events where it has nothing, the create event."""

    def __init__(
        self,
        cited: Mapping[StateKey, N],
        at: Callable[[StateKey], N | None],
        reader: EventReader[N],
        create: N | None,
    ) -> None:
        self._cited = cited
        self._at = at
        self._reader = reader
        self._create = create
        self._seen: dict[StateKey, N] = {}

    def __call__(self, event_type: str, state_key: str) -> Event | None:
        key = (event_type, state_key)
        one = self._at(key)
        if one is None:
            one = self._cited.get(key)
        if one is None and key == CREATE:
            one = self._create
        if one is None:
            return None
        self._seen[key] = one
        return self._reader.event(one)

    def consulted(self) -> dict[StateKey, str]:
        """The event ids the rules asked for and got."""
        found = {key: self._reader.event(one) for key, one in self._seen.items()}
        return {key: event.event_id for key, event in found.items() if event is not None}
