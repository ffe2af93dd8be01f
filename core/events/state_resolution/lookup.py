"""What state resolution asks of its caller: events by id, many at once.

The protocols are the only door to the outside. `EventReader` keeps what one resolution has read, so that each event is
asked for once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Generic, Protocol, TypeVar, runtime_checkable

from core.events.auth_chain import AuthEdges, Checkpoint, Steps, no_checkpoint
from core.events.event import Event
from core.ids import StateKey

N = TypeVar("N")
_BATCH = 500


class Lookup(AuthEdges[N], Protocol[N]):
    """Reads events. What is not known is left out of the answers."""

    def events(self, ids: Collection[N]) -> Mapping[N, Event]:
        """The events of `ids`, rejected ones included."""

    def is_rejected(self, one: N) -> bool:
        """Whether the event was rejected when it was received; soft-failed is not rejected."""


@runtime_checkable
class AuthDifferenceLookup(Protocol[N]):
    """A lookup with an index that finds auth differences faster than a walk."""

    def auth_difference(self, sides: Sequence[Collection[N]], shared: Callable[[], Iterable[N]]) -> Collection[N]:
        """As `core.events.auth_chain.auth_difference`."""


class EventReader(Generic[N]):
    """The events one resolution has read so far."""

    def __init__(self, lookup: Lookup[N], checkpoint: Checkpoint = no_checkpoint) -> None:
        self.lookup = lookup
        self.checkpoint = checkpoint
        self.steps = Steps(checkpoint)
        self._events: dict[N, Event | None] = {}
        self._edges: dict[N, tuple[N, ...]] = {}

    def load(self, ids: Iterable[N]) -> None:
        """Read those of `ids` that were not read yet, a few hundred at a time."""
        missing = [one for one in dict.fromkeys(ids) if one not in self._events]
        for start in range(0, len(missing), _BATCH):
            batch = missing[start : start + _BATCH]
            found = self.lookup.events(batch)
            for one in batch:
                self._events[one] = found.get(one)
            self.steps.took(len(batch))

    def load_edges(self, ids: Iterable[N]) -> None:
        """Read the auth events of those of `ids` for which they were not read yet."""
        missing = [one for one in dict.fromkeys(ids) if one not in self._edges]
        for start in range(0, len(missing), _BATCH):
            batch = missing[start : start + _BATCH]
            found = self.lookup.auth_edges(batch)
            for one in batch:
                self._edges[one] = tuple(found.get(one, ()))
            self.steps.took(len(batch))

    def event(self, one: N) -> Event | None:
        """The event, or None where the lookup does not know it. Loads it if need be."""
        if one not in self._events:
            self.load((one,))
        return self._events[one]

    def known(self, one: N) -> Event:
        """The event. Raises KeyError for one that the lookup does not know."""
        event = self.event(one)
        if event is None:
            raise KeyError(one)
        return event

    def auth_events(self, one: N) -> tuple[N, ...]:
        """The ids of the event's auth events, as it lists them."""
        if one not in self._edges:
            self.load_edges((one,))
        return self._edges[one]

    def auth_event_at(self, one: N, key: StateKey) -> N | None:
        """The auth event of `one` that stands under `key`, read without being kept; the first, if there are more."""
        edges = self._edges.get(one)
        if edges is None:
            edges = tuple(self.lookup.auth_edges((one,)).get(one, ()))
        known = self._events
        unread = [auth for auth in edges if auth not in known]
        found = self.lookup.events(unread) if unread else {}
        for auth in edges:
            event = known[auth] if auth in known else found.get(auth)
            if event is not None and (event.type, event.state_key) == key:
                return auth
        return None

    def state_events(self, ids: Iterable[N]) -> set[N]:
        """Those of `ids` that are known state events; they and their edges are loaded."""
        wanted = set(ids)
        self.load(wanted)
        found = {one for one in wanted if (event := self._events[one]) is not None and event.state_key is not None}
        self.load_edges(found)
        return found
