"""An event as a value: the PDU as it came, and the few fields that decisions need, read once.

Events are immutable by agreement: nobody writes to `pdu` or `content`; redacting, signing or changing makes another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.events.room_versions import RoomVersion
from core.ids import EventId, RoomId, StateKey, UserId


@dataclass(frozen=True, slots=True, eq=False)
class Event:
    """One event of one room, of any room version.

    `pdu` is the federation form: no `event_id` from room version 3, no `room_id` in a create event of version 12,
    signatures and hashes included. `room_id` here is always set. `redacts` is read from wherever the version keeps it.
    Equality and hash are of identity; compare `event_id`.
    """

    version: RoomVersion
    event_id: EventId
    room_id: RoomId
    type: str
    sender: UserId
    state_key: str | None
    content: Mapping[str, Any]
    prev_event_ids: tuple[EventId, ...]
    auth_event_ids: tuple[EventId, ...]
    depth: int
    origin_server_ts: int
    redacts: EventId | None
    pdu: Mapping[str, Any]

    @property
    def is_state(self) -> bool:
        """Whether the event has a state key."""
        return self.state_key is not None

    @property
    def key(self) -> StateKey:
        """(type, state key) of a state event. Raises ValueError for a message event."""
        if self.state_key is None:
            raise ValueError(f"{self.event_id} is not a state event")
        return (self.type, self.state_key)
