"""What a sync is made of beside rooms' timelines and states: each concern adds its part through one of these protocols.

Account data is one. Typing, receipts, counts, presence, to-device messages and device lists are others; each is handed
to the assembler by the composition root, which knows nothing else of them. A section asks `asking.window.has(kind)`,
which is answered from memory, before it looks at the database; what is only in memory compares counts instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from core.ids import RoomId, RoomNid
from core.sync.asking import Asking

Fields = Mapping[str, bytes | list[bytes]]
"""JSON values by key. A list is of events: those of all sections under one key come together in `{"events": […]}`."""


class Section(Protocol):
    """Adds fields to the top of the answer."""

    def current(self, asking: Asking) -> Fields:
        """What holds now, for a client that knows nothing yet."""

    def news(self, asking: Asking) -> Fields:
        """What changed in the window; empty where nothing did, or a waiting sync would never wait."""


class RoomSection(Protocol):
    """Adds fields to rooms that the user is in."""

    def current(self, asking: Asking, rooms: Mapping[RoomNid, RoomId]) -> Mapping[RoomNid, Fields]:
        """What holds now in these rooms, which are new to the client."""

    def news(self, asking: Asking, rooms: Mapping[RoomNid, RoomId]) -> Mapping[RoomNid, Fields]:
        """What changed in the window: in any room, whether or not it is among `rooms`, which are in the answer already.

        To put a room into the answer that would not be there is to end a waiting sync.
        """
