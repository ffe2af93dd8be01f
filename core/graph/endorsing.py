"""Whom a room wants asked about events before they are sent. Federation implements it: policy servers."""

from __future__ import annotations

from typing import Protocol

from core.events.event import Event
from core.ids import RoomNid


class Endorser(Protocol):
    """Recommends events for rooms."""

    def is_needed(self, room: RoomNid) -> bool:
        """Whether the room's events need a recommendation. Asked for every event that is sent: must be cheap."""

    def endorse(self, room: RoomNid, event: Event) -> Event:
        """The event with the recommendation in it, or as it is where it needs none. May wait.

        Raises MatrixError where it is not recommended, or nobody can be asked.
        """


class NobodyAsked:
    """Rooms of a server that asks nobody."""

    def is_needed(self, room: RoomNid) -> bool:
        """No."""
        return False

    def endorse(self, room: RoomNid, event: Event) -> Event:
        """As it is."""
        return event


class LateEndorser:
    """Recommendations for a graph that is built before federation is: `wire` it once that is."""

    def __init__(self) -> None:
        self._endorser: Endorser = NobodyAsked()

    def wire(self, endorser: Endorser) -> None:
        """From now on ask `endorser`."""
        self._endorser = endorser

    def is_needed(self, room: RoomNid) -> bool:
        """See Endorser."""
        return self._endorser.is_needed(room)

    def endorse(self, room: RoomNid, event: Event) -> Event:
        """See Endorser."""
        return self._endorser.endorse(room, event)
