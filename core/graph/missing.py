"""What an append needs and does not have: for the caller to fetch, and try again."""

from __future__ import annotations

from collections.abc import Collection

from core.ids import EventId


class MissingEvents(Exception):
    """Prev events without whose state nothing can be said: append them first, or hand in the state before the event."""

    def __init__(self, event_id: EventId, missing: Collection[EventId]) -> None:
        super().__init__(f"the state before {event_id} needs {', '.join(sorted(missing))}")
        self.event_id = event_id
        self.missing = frozenset(missing)


class MissingAuthEvents(MissingEvents):
    """Auth events without which no verdict can be given; append them as outliers first."""
