"""An event as we keep it: its bytes, its place in our order, and what became of it."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple

import orjson

from core.events.event import Event
from core.events.formats import event_from_stored
from core.events.room_versions import RoomVersion
from core.ids import EventId, EventNid, RoomId, RoomNid, TextNid, UserId
from core.storage.events import HIDDEN, Flag
from core.storage.state_lines import StateNidKey

PARSED_EVENTS = 10_000
"""How many stored events keep their parsed form; at most about 30 MB."""


class StateRef(NamedTuple):
    """Where a state is written: a line, and how many of its changes have happened."""

    line: int
    index: int  # type: ignore[assignment]  # a field where a tuple has a method that nobody needs here


class Place(Enum):
    """How an event comes into the graph."""

    LIVE = "live"
    """At its time: it reaches timelines if it is accepted."""
    BACKFILLED = "backfilled"
    """As history: it has a place, and nobody is told."""
    OUTLIER = "outlier"
    """Without a place: known for the state or an auth chain."""


class Verdict(Enum):
    """What the auth rules made of an event."""

    ACCEPTED = "accepted"
    SOFT_FAILED = "soft-failed"
    """Allowed at its place, not by the current state. Spec: Server-Server API, "Soft failure"."""
    REJECTED = "rejected"


class ParsedEvents:
    """Lets go of the parsed form of the stored events that were parsed longest ago."""

    def __init__(self, limit: int = PARSED_EVENTS) -> None:
        self._limit = limit
        self._parsed: deque[StoredEvent] = deque()

    def keep(self, stored: StoredEvent) -> None:
        """`stored` has just been parsed."""
        self._parsed.append(stored)
        if len(self._parsed) > self._limit:
            self._parsed.popleft().forget_parsed()


@dataclass(slots=True, eq=False)
class StoredEvent:
    """One event of the database. Immutable by agreement; a redaction or a place given later makes another.

    `local_depth` and `nid` are its place in history order (0 for outliers). `before` is the reference of the state
    before it, None where that is not known; `after` that of the state after it, where it has been written down and is
    another. `main_before` is the index of the room's main line right before it got its place, and tells which servers
    it goes to; `main_index` that after its own change. `top_depth` is the room's largest depth then.
    """

    nid: EventNid
    event_id: EventId
    room_nid: RoomNid
    room_id: RoomId
    version: RoomVersion
    local_depth: int
    flags: int
    type: str
    state_key: str | None
    sender: UserId
    type_nid: TextNid
    state_key_nid: TextNid | None
    sender_nid: TextNid
    origin_server_ts: int
    before: StateRef | None
    after: StateRef | None
    main_index: int
    main_before: int
    top_depth: int
    redacted_by: EventNid | None
    pdu_bytes: bytes
    """The PDU as canonical JSON, in its redacted form if it is redacted."""
    parsed: ParsedEvents
    _event: Event | None = None

    @property
    def event(self) -> Event:
        """The event, parsed on first use."""
        found = self._event
        if found is None:
            pdu = load_pdu(self.pdu_bytes, self.version)
            found = self._event = event_from_stored(self.version, self.event_id, self.room_id, pdu)
            self.parsed.keep(self)
        return found

    @property
    def content(self) -> Mapping[str, Any]:
        """The event's content, what redaction left of it."""
        return self.event.content

    @property
    def nid_key(self) -> StateNidKey:
        """(type, state key) by number. Only for state events."""
        assert self.state_key_nid is not None, "not a state event"
        return (self.type_nid, self.state_key_nid)

    @property
    def is_state(self) -> bool:
        """Whether the event has a state key."""
        return self.state_key_nid is not None

    @property
    def is_outlier(self) -> bool:
        """Whether it has no place in the graph."""
        return bool(self.flags & Flag.OUTLIER)

    @property
    def is_rejected(self) -> bool:
        """Whether the auth rules refused it."""
        return bool(self.flags & Flag.REJECTED)

    @property
    def is_soft_failed(self) -> bool:
        """Whether it was allowed at its place, but not by the state that was current when it came."""
        return bool(self.flags & Flag.SOFT_FAILED)

    @property
    def is_redacted(self) -> bool:
        """Whether its bytes are those of its redacted form."""
        return bool(self.flags & Flag.REDACTED)

    @property
    def is_visible(self) -> bool:
        """Whether it may stand in a timeline: it has a place and was accepted."""
        return not self.flags & HIDDEN

    @property
    def follows_gap(self) -> bool:
        """Whether some of its prev events were unknown when it got its place."""
        return bool(self.flags & Flag.GAP)

    @property
    def changes_state(self) -> bool:
        """Whether the state after it is another than the state before it: a state event that was not rejected."""
        return self.state_key_nid is not None and not self.flags & Flag.REJECTED

    def forget_parsed(self) -> None:
        """Drop the parsed form; the next use makes it again."""
        self._event = None


def load_pdu(raw: bytes, version: RoomVersion) -> Any:
    """Parse stored bytes. Before room version 6 numbers may be larger than orjson reads exactly."""
    return orjson.loads(raw) if version.strict_canonical_json else json.loads(raw)
