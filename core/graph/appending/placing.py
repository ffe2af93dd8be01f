"""Giving events their place: depth, edges, the state before, what they do to extremities and to the current state."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import islice

from immutables import Map

from core.events.event import Event
from core.events.state_resolution.ordering import is_power_event
from core.graph.appending.admission import Admission
from core.graph.appending.redacting import apply_redaction, apply_waiting_redactions
from core.graph.appending.relating import note_relation
from core.graph.appending.work import Work
from core.graph.lines import EMPTY, StateMap
from core.graph.missing import MissingEvents
from core.graph.stored_event import StateRef, StoredEvent, Verdict
from core.ids import EventId, EventNid, StateKey
from core.storage.events import Flag
from core.storage.state_lines import StateNidKey

GAP_DEPTH = 2**32
"""How far above the rest an event is put whose prev events are unknown, so that what fills the gap fits below."""

EVENTS_AT_ONCE = 200
"""How many events of a fetched state are read before others may run."""

_VERDICT_FLAGS = {Verdict.ACCEPTED: 0, Verdict.SOFT_FAILED: int(Flag.SOFT_FAILED), Verdict.REJECTED: int(Flag.REJECTED)}


class Placement:
    """An event about to get its place: what it follows and the state before it.

    `prevs` are given for events of our own, which nothing can have been waiting for.
    """

    __slots__ = ("before", "event", "is_ours", "missing", "outlier", "prevs", "state")

    def __init__(
        self, work: Work, event: Event, outlier: StoredEvent | None = None, prevs: Sequence[StoredEvent] | None = None
    ) -> None:
        self.event = event
        self.outlier = outlier
        self.is_ours = prevs is not None
        self.missing: Sequence[EventId] = ()
        if prevs is None:
            prevs, self.missing = work.prevs_of(event)
        self.prevs = prevs
        self.before: StateRef | None = None
        self.state: StateMap | None = None


def find_state_before(work: Work, place: Placement, fetched: Mapping[StateKey, EventId] | None) -> None:
    """Set the state before an event, and write it down where nothing equal is written yet.

    Raises MissingEvents where it takes events that are unknown, and no state was fetched.
    """
    keys = {key for prev in place.prevs if (key := work.after_key(prev)) is not None}
    refs = sorted(key for key in keys if isinstance(key, StateRef))
    if fetched is not None:
        place.state = fetched_state(work, fetched) if work.prepared is None else work.prepared
        if work.is_entrance:
            work.is_stale = False
            work.set_current(place.state)
        place.before = work.book.write(place.state, [work.ref, *refs])
        return
    if place.missing or any(prev.before is None for prev in place.prevs):
        lacking = [prev.event_id for prev in place.prevs if prev.before is None]
        raise MissingEvents(place.event.event_id, [*place.missing, *lacking])
    if {prev.nid for prev in place.prevs} == work.extremities.keys():
        work.settle()
        place.before, place.state = work.ref, work.state
    elif not keys:  # the create event of a room we came to later, or one that claims to be the first
        place.state, place.before = EMPTY, work.book.write(EMPTY, [])
    elif len(keys) == 1:
        place.before = work.after_ref(place.prevs[0])
        place.state = work.state if place.before == work.ref else work.book.state(place.before)
    else:
        place.state = work.resolve(place.prevs) if work.merged is None else work.merged
        place.before = work.book.write(place.state, [work.ref, *refs])


def place_live(work: Work, place: Placement, verdict: Verdict) -> StoredEvent:
    """Let a live event in at its place."""
    depth = max((prev.local_depth for prev in place.prevs), default=0) + 1
    if place.missing:
        depth = work.top_depth + GAP_DEPTH
    work.top_depth = max(work.top_depth, depth)
    work.merged = None
    stored = _store(work, place, depth, _VERDICT_FLAGS[verdict])
    followers = _followers(work, stored, place)
    if verdict is Verdict.ACCEPTED:
        work.live.append(stored.nid)
        is_followed = any(one.is_visible and not one.flags & Flag.BACKFILLED for one in followers)
        _become_extremity(work, stored, place, is_followed)
        note_relation(work, stored)
    return _redact(work, stored, place, verdict)


def place_backfilled(work: Work, place: Placement, verdict: Verdict, depth: int) -> StoredEvent:
    """Let an event of the past in: nothing current changes."""
    flags = _VERDICT_FLAGS[verdict] | Flag.BACKFILLED | (Flag.STATELESS if place.before is None else 0)
    stored = _store(work, place, depth, flags)
    _followers(work, stored, place)
    work.history.append(stored.nid)
    if verdict is Verdict.ACCEPTED:
        note_relation(work, stored)
    return _redact(work, stored, place, verdict)


def keep_outlier(work: Work, event: Event, verdict: Verdict) -> StoredEvent:
    """Keep an event without a place."""
    stored = work.make(event, _VERDICT_FLAGS[verdict] | Flag.OUTLIER)
    work.known.put(stored)
    work.new.append(stored)
    work.answered[stored.nid] = None
    apply_waiting_redactions(work, stored)
    return work.known.by_nid(stored.nid)


def backfill_depths(work: Work, admissions: Sequence[Admission]) -> dict[EventId, int]:
    """A local depth for each backfilled event, oldest first as given: one less than its smallest known successor.

    Where nothing that is known follows it, one more than its largest known prev event, or below everything by `below`.
    """
    stores, source = work.bench.stores, work.where
    depths: dict[EventId, int] = {}
    followers: dict[EventId, list[int]] = {}
    lowest = None
    for admission in reversed(admissions):
        event = admission.event
        known = work.known.by_nids(work.waiting.get(event.event_id, ())).values()
        above = [one.local_depth for one in known] + followers.get(event.event_id, [])
        prevs, _ = work.prevs_of(event)
        if above:
            depth = min(above) - 1
        elif prevs:
            depth = max(prev.local_depth for prev in prevs) + 1
        else:
            lowest = stores.events.lowest_depth(source, work.tip.room_nid) if lowest is None else lowest
            depth = lowest = lowest - admission.below
        depths[event.event_id] = depth
        for prev in event.prev_event_ids:
            followers.setdefault(prev, []).append(depth)
    return depths


def fetched_state(work: Work, fetched: Mapping[StateKey, EventId]) -> StateMap:
    """A fetched state by number; events that are unknown or were rejected are no part of it."""
    entries: dict[StateNidKey, EventNid] = {}
    ids = iter(fetched.values())
    while chunk := list(islice(ids, EVENTS_AT_ONCE)):
        found = work.known.by_ids(chunk).values()
        entries.update((one.nid_key, one.nid) for one in found if one.is_state and not one.is_rejected)
        work.checkpoint()
    return Map(entries)


def _store(work: Work, place: Placement, depth: int, flags: int) -> StoredEvent:
    """The event with its place, as a new row or in that of its outlier."""
    outlier, event = place.outlier, place.event
    flags |= Flag.GAP if place.missing else 0
    if outlier is None:
        made = work.make(event, flags)
        work.new.append(made)
        nid = made.nid
    else:
        made, nid = outlier, outlier.nid
        flags |= outlier.flags & Flag.REDACTED
        work.placed.append(made)
    work.answered[nid] = None
    stored = work.renew(
        made,
        local_depth=depth,
        flags=flags,
        before=place.before,
        main_index=work.index,
        main_before=work.index,
        top_depth=work.top_depth,
    )
    work.edges += [(prev.nid, nid) for prev in place.prevs]
    work.gaps += [(nid, missing) for missing in place.missing]
    return stored


def _followers(work: Work, stored: StoredEvent, place: Placement) -> Collection[StoredEvent]:
    """The events that were waiting for this one, which are tied to it now."""
    if place.is_ours:
        return ()
    waiting = list(work.waiting.get(stored.event_id, ()))
    waiting += [nid for nid, missing in work.gaps if missing == stored.event_id]
    if waiting:
        work.edges += [(stored.nid, nid) for nid in waiting]
        work.gaps = [gap for gap in work.gaps if gap[1] != stored.event_id]
        work.closed.append(stored.event_id)
    return work.known.by_nids(waiting).values()


def _become_extremity(work: Work, stored: StoredEvent, place: Placement, is_followed: bool) -> None:
    """Let a live accepted event take the place of the extremities it follows, and move the current state.

    One that came after what follows it (`is_followed`) spends extremities and is none.
    """
    was_current = stored.before == work.ref and not work.is_stale
    if work.is_entrance:
        work.extremities.clear()
    for nid in _spent(work, place.prevs):
        work.extremities.pop(nid, None)
    if not is_followed:
        work.extremities[stored.nid] = stored
    if work.extremities.keys() == {stored.nid}:
        _become_current(work, stored, was_current)
        return
    keys = {work.after_key(one) for one in work.extremities.values()}
    work.is_stale = keys != {work.ref}
    if work.is_stale and is_power_event(place.event):
        work.settle()


def _become_current(work: Work, stored: StoredEvent, was_current: bool) -> None:
    """The state after the only extremity is the current state."""
    work.is_stale = False
    if not was_current:
        work.set_current(work.after_state(stored))
    elif stored.changes_state:
        key = stored.nid_key
        work.advance([(*key, work.state.get(key), stored.nid)], work.state.set(key, stored.nid))
    if stored.changes_state:
        work.set_after(stored, work.ref)


def _spent(work: Work, prevs: Sequence[StoredEvent]) -> set[EventNid]:
    """The extremities an event follows, directly or through events that can be none themselves."""
    spent: set[EventNid] = set()
    seen: set[EventNid] = set()
    waiting = list(prevs)
    while waiting:
        one = waiting.pop()
        if one.nid in seen:
            continue
        seen.add(one.nid)
        if one.nid in work.extremities:
            spent.add(one.nid)
        elif not one.is_visible:
            waiting += work.prevs_of(one.event)[0]
    return spent


def _redact(work: Work, stored: StoredEvent, place: Placement, verdict: Verdict) -> StoredEvent:
    """Redact what this event redacts, and the event itself where a redaction was here before it."""
    if not place.is_ours:
        apply_waiting_redactions(work, stored)
    if verdict is Verdict.ACCEPTED and place.event.type == "m.room.redaction":
        apply_redaction(work, stored, place.state)
    return work.known.by_nid(stored.nid)
