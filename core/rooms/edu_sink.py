"""Where receipts and typing go to be told to other servers: an interface that core.federation implements.

Calls come after the change is durable (receipts) or has been told here (typing). They must not wait: an
implementation notes what to send and returns. Spec: Server-Server API, "EDUs".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from core.ids import UserId
from core.storage.receipts import Receipt
from core.storage.rooms import RoomName


class EduSink(Protocol):
    """Hears what local users did that other servers of a room should know."""

    def receipts(self, room: RoomName, receipts: Sequence[tuple[UserId, Receipt]]) -> None:
        """Public receipts of local users moved; private ones are never told. Spec: `m.receipt`."""

    def typing(self, room: RoomName, user_id: UserId, is_typing: bool) -> None:
        """A local user began, still is, or has stopped typing. Spec: `m.typing`."""


class NoEdus:
    """Tells nobody: for a server without federation."""

    def receipts(self, room: RoomName, receipts: Sequence[tuple[UserId, Receipt]]) -> None:
        """Nothing."""

    def typing(self, room: RoomName, user_id: UserId, is_typing: bool) -> None:
        """Nothing."""
