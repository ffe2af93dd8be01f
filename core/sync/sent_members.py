"""Which members' events each device has been sent, so that lazy loading does not send them again and again.

What an answer contained counts as sent once the device comes back with that answer's token: an answer that got lost is
made again in full. Memory may be lost at any time; then members are sent more often than needed, never too seldom.
"""

from __future__ import annotations

from core.graph.caches import ByteCache
from core.ids import EventNid, RoomNid, UserNid

MEMORY_BYTES = 32 * 1024 * 1024
"""All devices' memory together."""
MEMBERS_PER_DEVICE = 5_000
"""A device with more than this begins anew."""
_ENTRY_BYTES = 150

Members = dict[tuple[RoomNid, UserNid], EventNid]
"""Which member event was sent last of each user in each room."""


class SentMembers:
    """What one device has; `note` collects what the answer in the making adds."""

    __slots__ = ("_fresh", "_sent", "token")

    def __init__(self, sent: Members) -> None:
        self._sent = sent
        self._fresh: Members = {}
        self.token = ""
        """The token of the answer that carries what was noted."""

    def has(self, room: RoomNid, user: UserNid, event: EventNid) -> bool:
        """Whether the device has this member event already, or gets it with this answer."""
        key = (room, user)
        found = self._fresh.get(key) or self._sent.get(key)
        return found == event

    def note(self, room: RoomNid, user: UserNid, event: EventNid) -> None:
        """The answer contains this member event."""
        self._fresh[room, user] = event

    def confirmed(self) -> Members:
        """What the device has, now that the answer has reached it. Ends the life of this value."""
        if len(self._sent) + len(self._fresh) > MEMBERS_PER_DEVICE:
            return self._fresh
        self._sent.update(self._fresh)
        return self._sent

    def __len__(self) -> int:
        return len(self._sent) + len(self._fresh)


class SentMembersMemory:
    """The memory of all devices."""

    def __init__(self, memory_bytes: int = MEMORY_BYTES) -> None:
        self._devices: ByteCache[tuple[UserNid, str], SentMembers] = ByteCache(memory_bytes)

    def before(self, user: UserNid, scope: str, since: str) -> SentMembers:
        """What a device has that asks with the token `since`; nothing where it starts, or asks again for an answer."""
        found = self._devices.get((user, scope))
        return SentMembers(found.confirmed() if found is not None and since and found.token == since else {})

    def keep(self, user: UserNid, scope: str, members: SentMembers, token: str) -> None:
        """The answer with this token goes out to the device."""
        members.token = token
        self._devices.put((user, scope), members, 300 + _ENTRY_BYTES * len(members))

    def go_on(self, user: UserNid, scope: str, since: str, token: str) -> None:
        """An answer without any member goes out to a device that asked with `since`."""
        found = self._devices.get((user, scope))
        if found is not None and found.token == since:
            found.token = token
