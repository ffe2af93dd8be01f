"""A room as the model knows it: its events in order, and what the state, the memberships and the receipts are then."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from tests.model.events import Event

HOPS = 3
INFINITE = 10**9
"""The power of a creator in the room versions that give it for good."""


class Room:
    """A room. `creator` made it; the events of its creation are taken from what the creator saw."""

    def __init__(self, room_id: str, creator: str, version: int, join_rule: str) -> None:
        self.room_id, self.creator, self.version, self.join_rule = room_id, creator, version, join_rule
        self.events: list[Event] = []
        self.by_id: dict[str, Event] = {}
        self.state: dict[tuple[str, str], Event] = {}
        self.members: dict[str, str] = {}
        self.joined_at: dict[str, int] = {}
        """Where each user who ever joined did so last."""
        self.left_at: dict[str, int] = {}
        """Where each user was last made to leave, or banned."""
        self.forgotten: set[str] = set()
        self.reads: dict[str, dict[str, int]] = defaultdict(dict)
        """Up to which index each user has read, by thread; '' for the whole room."""
        self.receipts: dict[tuple[str, str, str], Event] = {}
        """The event of each (kind, user, thread)."""
        self.account_data: dict[str, dict[str, Any]] = defaultdict(dict)

    def append(self, event: Event) -> Event:
        """The room goes on."""
        event.index, event.members, event.visibility = len(self.events), dict(self.members), self.visibility
        event.thread = self._thread_of(event)
        self.events.append(event)
        if event.state_key is not None:
            self.state[event.type, event.state_key] = event
            if event.type == "m.room.member":
                self._moved(event, event.state_key)
        if event.event_id is not None:
            self.by_id[event.event_id] = event
        return event

    def redact(self, target: Event, redaction: Event) -> None:
        """The room goes on with a redaction."""
        self.append(redaction)
        target.is_redacted = True

    def named(self, event_id: str) -> Event:
        """An event by its id."""
        if event_id not in self.by_id:
            self.by_id |= {event.event_id: event for event in self.events if event.event_id}
        return self.by_id[event_id]

    @property
    def visibility(self) -> str:
        """The history visibility now."""
        event = self.state.get(("m.room.history_visibility", ""))
        return "shared" if event is None else event.content["history_visibility"]

    @property
    def joined(self) -> list[str]:
        """Who is in the room."""
        return [user for user, membership in self.members.items() if membership == "join"]

    def level(self, user: str) -> int:
        """A user's power."""
        if user == self.creator and self.version >= 12:
            return INFINITE
        return self.state["m.room.power_levels", ""].content["users"].get(user, 0)

    def may_see(self, user: str, event: Event) -> bool:
        """Whether the history visibility shows an event to a user. Spec: "Room History Visibility"."""
        members, visibilities = [event.members.get(user)], [event.visibility]
        if event.type == "m.room.member" and event.state_key == user:
            members.append(event.content["membership"])
        if event.type == "m.room.history_visibility":
            visibilities.append(event.content["history_visibility"])
        joins_later = self.joined_at.get(user, -1) >= event.index
        return any(
            member == "join" or (seen_as == "shared" and joins_later) or (seen_as == "invited" and member == "invite")
            for member in members
            for seen_as in visibilities
        )

    def history(self, user: str) -> Sequence[Event]:
        """What a user may see, whoever sent it: to the end, or to where they left."""
        if self.members.get(user) == "join":
            return [event for event in self.events if self.may_see(user, event)]
        end = self.left_at.get(user, -1) + 1
        return [event for event in self.events[:end] if self.may_see(user, event)]

    def membership_at(self, user: str, event: Event) -> str:
        """A user's membership at an event, as `unsigned` tells it: their own change counts already."""
        if event.type == "m.room.member" and event.state_key == user:
            return str(event.content["membership"])
        return event.members.get(user, "leave")

    def _moved(self, event: Event, user: str) -> None:
        before, now = self.members.get(user), event.content["membership"]
        self.members[user] = now
        if now == "join" and before != "join":
            self.joined_at[user] = event.index
            self.reads[user][""] = event.index
        if now in ("leave", "ban"):
            self.left_at[user] = event.index
        self.forgotten.discard(user)

    def _thread_of(self, event: Event) -> str:
        """The thread an event is in, itself or through at most three relations; what is redacted relates to nothing."""
        for _ in range(HOPS):
            relation, parent = event.relation
            if relation == "m.thread" or not parent:
                return parent or "main"
            event = self.named(parent)
        return "main"
