"""An event as the model knows it: what was sent, and how the room stood at that moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(eq=False)
class Event:
    """One event of a room. The id of one that came about through another request is learned from the first view."""

    type: str
    sender: str
    content: Mapping[str, Any]
    state_key: str | None = None
    event_id: str | None = None
    index: int = -1
    """Its place in the room."""
    members: Mapping[str, str] = field(default_factory=dict)
    """Everybody's membership just before it."""
    visibility: str = "shared"
    """The history visibility just before it."""
    thread: str = "main"
    """The thread it is in."""
    notifies: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Whom it notifies, and whether by a highlight."""
    is_redacted: bool = False

    @property
    def is_state(self) -> bool:
        """Whether it is a state event."""
        return self.state_key is not None

    @property
    def relation(self) -> tuple[str, str]:
        """(relation type, parent); two empty strings for none, or after a redaction."""
        relates_to = {} if self.is_redacted else self.content.get("m.relates_to", {})
        return relates_to.get("rel_type", ""), relates_to.get("event_id", "")

    def is_shown_as(self, seen: Mapping[str, Any]) -> bool:
        """Whether a client's event is this one; its id is learned where it was not known."""
        if (self.type, self.sender, self.state_key) != (seen["type"], seen["sender"], seen.get("state_key")):
            return False
        if self.event_id is None:
            self.event_id = seen["event_id"]
        return self.event_id == seen["event_id"] and self._has_content(seen["content"])

    def _has_content(self, content: Mapping[str, Any]) -> bool:
        if self.type == "m.room.member":
            return content["membership"] == self.content["membership"]
        return content == ({} if self.is_redacted else self.content)
