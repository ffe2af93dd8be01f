"""What append is given and what it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from core.errors import AuthRuleViolation
from core.events.event import Event
from core.graph.stored_event import Place, StoredEvent, Verdict
from core.ids import EventId, RoomId, RoomNid, StateKey
from core.storage.state_deltas import DeltaRange


@dataclass(frozen=True, slots=True)
class Admission:
    """One event to be let in.

    Its hashes and signatures have been checked. `verdict` is None where append shall judge it. `state` is the state
    before it as fetched from another server, needed where prev events are unknown: all its events have been appended
    already, as outliers or otherwise; those not known are left out. `below` is for history that nothing known follows,
    and says how far below the oldest event it belongs. `is_unwelcome` soft-fails a live event that would be accepted.
    """

    event: Event
    place: Place = Place.LIVE
    verdict: Verdict | None = None
    state: Mapping[StateKey, EventId] | None = None
    below: int = 1
    is_unwelcome: bool = False


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict, and the rule that was broken where it is not ACCEPTED."""

    verdict: Verdict
    violation: AuthRuleViolation | None = None


@dataclass(frozen=True, slots=True)
class Appended:
    """What an append changed.

    `events` are those that got a place or were stored, in the order given; what was known already is left out.
    `state_delta` is the range of the main line that was added, or None. `refused` says which rule each event broke that
    append judged and did not accept.
    """

    events: Sequence[StoredEvent]
    state_delta: DeltaRange | None
    refused: Mapping[EventId, AuthRuleViolation] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CreatedRoom:
    """A room that has just been made, with all its first events."""

    room_nid: RoomNid
    room_id: RoomId
    events: Sequence[StoredEvent]
