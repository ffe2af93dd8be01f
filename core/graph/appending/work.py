"""One append in the making: the room as it stands after what has been placed so far, and the rows to come of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from core.events.event import Event
from core.graph.appending.known import KnownEvents
from core.graph.appending.line_book import LineBook, as_changes
from core.graph.appending.numbering import number_of
from core.graph.appending.resolving import Checkpoint, resolve_states
from core.graph.events import EventReader, pdu_bytes
from core.graph.lines import EMPTY, NO_LINE, StateMap, StateReader, difference
from core.graph.stored_event import StateRef, StoredEvent
from core.graph.stores import GraphStores
from core.graph.tips import Tip
from core.ids import EventId, EventNid
from core.storage.database import Database
from core.storage.interning import Interner
from core.storage.relations import Relation
from core.storage.state_lines import Change
from core.storage.writer import Transaction


@dataclass(frozen=True, slots=True)
class Bench:
    """What every append works with."""

    database: Database
    stores: GraphStores
    events: EventReader
    states: StateReader
    texts: Interner


@dataclass(slots=True)
class Redacted:
    """An event whose stored bytes are replaced."""

    stored: StoredEvent
    is_logged: bool


class Work:
    """The state of one append. Methods are for the modules of this package; `rows.write` ends it."""

    def __init__(self, tip: Tip, bench: Bench, source: Transaction | None, checkpoint: Checkpoint) -> None:
        self.tip = tip
        self.bench = bench
        self.source = source
        self.checkpoint = checkpoint
        self.known = KnownEvents(bench.events, source)
        self.book = LineBook(tip.room_nid, bench.states, source, bench.stores.events.take_nid)
        self.line, self.index, self.state = tip.line, tip.index, tip.state
        self.extremities = dict(tip.extremities)
        self.top_depth = tip.top_depth
        self.is_stale = False
        """Whether extremities have changed in a way that the current state does not show yet."""
        self.delta: list[Change] = []
        self.new: list[StoredEvent] = []
        self.placed: list[StoredEvent] = []
        """Outliers that got their place."""
        self.answered: dict[EventNid, None] = {}
        """What the append reports, in order."""
        self.live: list[EventNid] = []
        self.history: list[EventNid] = []
        self.new_after: dict[EventNid, StateRef] = {}
        """References written for the states after events that were there before."""
        self.edges: list[tuple[EventNid, EventNid]] = []
        self.gaps: list[tuple[EventNid, EventId]] = []
        self.closed: list[EventId] = []
        self.relations: list[Relation] = []
        self.redactions: list[tuple[EventId, EventNid]] = []
        self.redacted: list[Redacted] = []
        self.merged: StateMap | None = None
        """The state before the next event of ours, where that was resolved outside the writer."""
        self.waiting: Mapping[EventId, Sequence[EventNid]] = {}
        """For events of others: those that follow them and have been here before."""
        self.waiting_redactions: Mapping[EventId, Sequence[EventNid]] = {}
        """For events of others: the redactions that name them and have been here before."""
        self.prepared: StateMap | None = None
        """The fetched state, where it was written beforehand."""
        self.delta_start: int | None = None
        """Where the state delta begins, where that is before what this append writes."""
        self.counts = (tip.joined_count, tip.invited_count)
        """Joined and invited members after the append."""
        self.is_entrance = False
        """Whether the room's state is taken over from another server: a join, or one more after we had left."""

    @property
    def where(self) -> Database | Transaction:
        """Where rows are read from."""
        return self.source or self.bench.database

    @property
    def ref(self) -> StateRef:
        """The reference of the current state."""
        return StateRef(self.line, self.index)

    def look_ahead(self, events: Collection[Event]) -> None:
        """Read at once what letting these events of others in will ask for."""
        ids = [event.event_id for event in events]
        refs = {one for event in events for one in (*event.prev_event_ids, *event.auth_event_ids)}
        self.known.by_ids(refs.union(ids))
        self.waiting = self.bench.stores.edges.waiting_for(self.where, ids)
        self.waiting_redactions = self.bench.stores.redactions.of(self.where, ids)

    def begin_line(self) -> None:
        """Make sure that the room has a main line."""
        if self.line == NO_LINE:
            self.line = self.book.new_main_line()
            self.book.fresh_states[self.ref] = EMPTY

    def make(self, event: Event, flags: int, nid: EventNid | None = None) -> StoredEvent:
        """A stored event without a place; numbers and auth edges are given to it."""
        texts, stores = self.bench.texts, self.bench.stores
        stored = StoredEvent(
            nid=stores.events.take_nid() if nid is None else nid,
            event_id=event.event_id,
            room_nid=self.tip.room_nid,
            room_id=self.tip.room_id,
            version=self.tip.version,
            local_depth=0,
            flags=flags,
            type=event.type,
            state_key=event.state_key,
            sender=event.sender,
            type_nid=number_of(texts, event.type),
            state_key_nid=None if event.state_key is None else number_of(texts, event.state_key),
            sender_nid=number_of(texts, event.sender),
            origin_server_ts=event.origin_server_ts,
            before=None,
            after=None,
            main_index=self.index,
            main_before=self.index,
            top_depth=self.top_depth,
            redacted_by=None,
            pdu_bytes=pdu_bytes(event),
            parsed=self.bench.events.parsed,
            _event=event,
        )
        self.bench.events.parsed.keep(stored)
        if event.state_key is not None:
            auth = {one.event_id: one.nid for one in self.known.by_ids(event.auth_event_ids).values()}
            nids = tuple(auth[one] for one in event.auth_event_ids if one in auth)
            levels = self.known.auth_levels(nids)
            self.known.fresh_auth[stored.nid] = (max(levels.values(), default=-1) + 1, nids)
        return stored

    def after_key(self, stored: StoredEvent) -> StateRef | EventNid | None:
        """What tells the state after an event from others without looking at it.

        The reference where it is written; the event's own number where it is not; None where nothing is known.
        """
        if stored.before is None or not stored.changes_state:
            return stored.before
        return stored.after or stored.nid

    def after_ref(self, stored: StoredEvent) -> StateRef:
        """Where the state after an event is written; written down now where it has not been."""
        assert stored.before is not None, "an event of the graph with its state"
        if not stored.changes_state:
            return stored.before
        if stored.after is not None:
            return stored.after
        before = self.book.state(stored.before)
        key = stored.nid_key
        change: Change = (*key, before.get(key), stored.nid)
        ref = self.book.branch(stored.before, [change], before.set(key, stored.nid))
        self.set_after(stored, ref)
        return ref

    def after_state(self, stored: StoredEvent) -> StateMap:
        """The state after an event whose state before is known, without writing it down."""
        assert stored.before is not None, "an event of the graph with its state"
        if stored.after is not None:
            return self.book.state(stored.after)
        before = self.book.state(stored.before)
        return before.set(stored.nid_key, stored.nid) if stored.changes_state else before

    def set_after(self, stored: StoredEvent, ref: StateRef) -> None:
        """Note where the state after an event is written."""
        if ref.line == self.line:
            stored = self.renew(stored, after=ref, main_index=ref.index)
        else:
            stored = self.renew(stored, after=ref)
        if stored.nid not in self.answered:
            self.new_after[stored.nid] = ref

    def renew(self, stored: StoredEvent, **changed: object) -> StoredEvent:
        """Another version of an event, shown from now on."""
        renewed = replace(self.known.fresh.get(stored.nid, stored), **changed)  # type: ignore[arg-type]  # fields by name
        self.known.put(renewed)
        if stored.nid in self.extremities:
            self.extremities[stored.nid] = renewed
        return renewed

    def resolve(self, events: Iterable[StoredEvent]) -> StateMap:
        """The resolution of the states after some events."""
        states: list[StateMap] = []
        for stored in sorted(events, key=lambda one: one.nid):
            state = self.after_state(stored)
            if not any(state is known for known in states):
                states.append(state)
        if len(states) == 1:
            return states[0]
        self.checkpoint()
        return resolve_states(self.tip.version, states, self.known, self.bench.texts, self.checkpoint)

    def settle(self) -> None:
        """Bring the current state, and the main line, up to the present extremities."""
        if self.is_stale:
            self.is_stale = False
            self.set_current(self.resolve(self.extremities.values()))

    def set_current(self, state: StateMap) -> None:
        """Write the way from the current state to `state` onto the main line."""
        self.advance(as_changes(difference(self.state, state)), state)

    def advance(self, changes: Sequence[Change], state: StateMap) -> None:
        """Let changes happen to the current state."""
        if changes:
            self.delta += changes
            ref = self.book.extend(self.line, changes, state)
            self.index, self.state = ref.index, state

    def prevs_of(self, event: Event) -> tuple[list[StoredEvent], list[EventId]]:
        """The prev events that have a place, and the ids of the others."""
        found = self.known.by_ids(event.prev_event_ids)
        placed = [found[one] for one in event.prev_event_ids if one in found and not found[one].is_outlier]
        here = {stored.event_id for stored in placed}
        return placed, [one for one in dict.fromkeys(event.prev_event_ids) if one not in here]
