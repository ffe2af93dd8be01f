"""Everything the model knows: rooms, and what each user has set for themselves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from tests.model.events import Event
from tests.model.rooms import Room


class World:
    """The rooms that live, and the users' settings."""

    def __init__(self, users: Sequence[str]) -> None:
        self.users = list(users)
        self.rooms: dict[str, Room] = {}
        self.ignored: dict[str, set[str]] = {user: set() for user in users}
        self.muted: dict[str, set[str]] = {user: set() for user in users}
        """Rooms with a rule that silences them."""
        self.quiet: dict[str, set[str]] = {user: set() for user in users}
        """Rooms of which only mentions notify."""
        self.account_data: dict[str, dict[str, Any]] = defaultdict(dict)

    def rooms_of(self, user: str, membership: str) -> set[str]:
        """The rooms in which a user has this membership, as syncs list them: invites by whom they ignore are hidden."""
        found = set()
        for room_id, room in self.rooms.items():
            if room.members.get(user) == membership:
                sender = room.state["m.room.member", user].sender
                if membership != "invite" or sender not in self.ignored[user]:
                    found.add(room_id)
        return found

    def listed(self, user: str) -> int:
        """How many rooms sliding sync lists: also those a user was made to leave, until they are forgotten."""
        found = sum(len(self.rooms_of(user, membership)) for membership in ("join", "invite", "knock"))
        for room in self.rooms.values():
            membership = room.members.get(user)
            if membership in ("ban", "leave") and user not in room.forgotten:
                own = room.state["m.room.member", user]
                found += membership == "ban" or (own.sender != user and own.members.get(user) == "join")
        return found

    def timeline(self, room: Room, user: str) -> list[Event]:
        """What a user is shown of a room's history."""
        ignored = self.ignored[user]
        return [event for event in room.history(user) if event.is_state or event.sender not in ignored]
