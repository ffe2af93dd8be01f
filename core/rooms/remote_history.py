"""What reading a room's history needs of other servers: what is missing here. Federation implements it."""

from __future__ import annotations

from typing import Protocol

from core.graph.history import Gap
from core.ids import EventId
from core.storage.rooms import RoomName


class RemoteHistory(Protocol):
    """Fetches. Nothing here raises, and nothing waits longer than somebody who pages through a room would."""

    def fill(self, room: RoomName, gap: Gap) -> bool:
        """Fetch some of what comes before a gap; whether anything came. The rest follows in the background."""

    def soon(self, room: RoomName) -> None:
        """Fetch in the background what is missing in a room, up to a budget. Does not wait."""

    def bring(self, room: RoomName, event_id: EventId) -> bool:
        """Fetch one event and give it its place; whether it is here now."""

    def near(self, room: RoomName, ts: int, backwards: bool) -> tuple[EventId, int] | None:
        """The event nearest to a time that another server knows, and its own time."""


class LateRemoteHistory:
    """Other servers' history for services that are built before federation is: `wire` it once that is."""

    def __init__(self) -> None:
        self._history: RemoteHistory | None = None

    def wire(self, history: RemoteHistory) -> None:
        """From now on ask `history`."""
        self._history = history

    def fill(self, room: RoomName, gap: Gap) -> bool:
        """See RemoteHistory."""
        return self._history is not None and self._history.fill(room, gap)

    def soon(self, room: RoomName) -> None:
        """See RemoteHistory."""
        if self._history is not None:
            self._history.soon(room)

    def bring(self, room: RoomName, event_id: EventId) -> bool:
        """See RemoteHistory."""
        return self._history is not None and self._history.bring(room, event_id)

    def near(self, room: RoomName, ts: int, backwards: bool) -> tuple[EventId, int] | None:
        """See RemoteHistory."""
        return None if self._history is None else self._history.near(room, ts, backwards)
