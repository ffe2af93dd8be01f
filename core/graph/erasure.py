"""Events of users who asked for erasure, as those who were not in the room at the time get them: redacted.

Nothing is changed in the graph, and who was there goes on seeing what they saw. Spec: Client-Server API,
`POST /account/deactivate`, `erase`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Protocol

from core.graph.events import redacted_bytes
from core.graph.stored_event import StoredEvent
from core.graph.viewing import Viewing
from core.ids import UserId, UserNid

ERASED = 1 << 30
"""A flag that stored events never have: it tells the redacted copy from the event where both are cached."""


class ErasedUsers(Protocol):
    """Who asked for erasure; asked for each event that is shown, so it answers from memory."""

    @property
    def nids(self) -> Collection[UserNid]: ...


class Erasure:
    """Redacts what must not be shown to a newcomer."""

    def __init__(self, viewing: Viewing, erased: ErasedUsers) -> None:
        self._viewing = viewing
        self._erased = erased

    def applied(self, events: Sequence[StoredEvent], user_nid: UserNid, user_id: UserId) -> Sequence[StoredEvent]:
        """One room's events as this user gets them. Costs a look into a set for each, as a rule."""
        erased = self._erased.nids
        if not erased or not any(stored.sender_nid in erased for stored in events):
            return events
        memberships = self._viewing.memberships(events[0].room_nid, user_nid, user_id)
        return [
            _redacted(stored) if stored.sender_nid in erased and memberships.at(stored.main_index) != "join" else stored
            for stored in events
        ]


def _redacted(stored: StoredEvent) -> StoredEvent:
    return replace(stored, flags=stored.flags | ERASED, pdu_bytes=redacted_bytes(stored.event), _event=None)
