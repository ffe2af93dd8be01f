"""What memory holds of the users who are syncing: what changed for them, and who waits.

An active user is somebody who synced a while ago. Of each we know completely what has happened for them since their
`floor`; whoever asks from before that is answered from the database.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterator
from collections.abc import Set as AbstractSet

from gevent.event import Event

from core.ids import Position, RoomNid, UserNid
from core.storage.log import Kind

MAX_ACTIVE_USERS = 50_000
"""More users than this are not kept, unless they wait at this moment."""
ACTIVE_SECONDS = 600.0
"""Somebody who has not synced for this long is let go of."""


class ActiveUser:
    """One user. Positions are those of the newest line of each sort since `floor`."""

    __slots__ = ("changed", "counted", "floor", "joined", "kinds", "latest", "own", "seen_at", "user_nid", "waiters")

    def __init__(self, user_nid: UserNid, floor: Position, joined: set[RoomNid]) -> None:
        self.user_nid = user_nid
        self.floor = floor
        self.latest = Position(0)
        self.joined = joined
        self.changed: dict[RoomNid, int] = {}
        """Rooms in which something happened, the latest last."""
        self.own: dict[RoomNid, int] = {}
        """Rooms in which the user's own membership changed."""
        self.kinds: dict[Kind, int] = {}
        self.counted: int = 0
        """The newest count of something that is only in memory."""
        self.waiters: list[Event] = []
        self.seen_at = 0.0

    def note_room(self, room: RoomNid, position: int) -> None:
        """Something happened in a room."""
        self.changed.pop(room, None)
        self.changed[room] = position
        self.latest = Position(position)

    def note_kind(self, kind: Kind, position: int) -> None:
        """Something of this kind happened for the user."""
        self.kinds[kind] = position
        self.latest = Position(position)

    def rooms_since(self, position: int) -> list[RoomNid]:
        """The rooms in which something happened after `position`; cost: as many as there are."""
        found = []
        for room in reversed(self.changed):
            if self.changed[room] <= position:
                break
            found.append(room)
        return found

    def wake(self) -> None:
        """Let everybody who waits for this user look again."""
        for waiter in self.waiters:
            waiter.set()


class ActiveUsers:
    """The users by number, who was seen last at the end, and who watches which room."""

    def __init__(self, limit: int = MAX_ACTIVE_USERS, seconds: float = ACTIVE_SECONDS) -> None:
        self._limit = limit
        self._seconds = seconds
        self._users: OrderedDict[UserNid, ActiveUser] = OrderedDict()
        self._watchers: dict[RoomNid, set[ActiveUser]] = {}

    def get(self, user: int) -> ActiveUser | None:
        """The user, if active."""
        return self._users.get(UserNid(user))

    def seen(self, user: ActiveUser) -> None:
        """The user syncs now."""
        user.seen_at = time.monotonic()
        self._users.move_to_end(user.user_nid)

    def add(self, user: ActiveUser) -> list[RoomNid]:
        """Keep a user, and let go of those who are long gone; the rooms that nobody watches any more."""
        self._users[user.user_nid] = user
        self.seen(user)
        for room in user.joined:
            self._watchers.setdefault(room, set()).add(user)
        return self._let_go()

    def watchers(self, room: int) -> AbstractSet[ActiveUser]:
        """The active users who are joined to a room."""
        return self._watchers.get(RoomNid(room), _NOBODY)

    def drop(self, user: ActiveUser) -> None:
        """Forget a user."""
        if self._users.get(user.user_nid) is user:
            del self._users[user.user_nid]
        for room in user.joined:
            self._unwatch(user, room)

    def join(self, user: ActiveUser, room: RoomNid) -> None:
        """The user is in the room now."""
        user.joined.add(room)
        self._watchers.setdefault(room, set()).add(user)

    def leave(self, user: ActiveUser, room: RoomNid) -> bool:
        """The user is not in the room any more; whether nobody watches it now."""
        user.joined.discard(room)
        return self._unwatch(user, room)

    def __len__(self) -> int:
        return len(self._users)

    def __iter__(self) -> Iterator[ActiveUser]:
        return iter(self._users.values())

    def _let_go(self) -> list[RoomNid]:
        """Drop who has been away for long, or is one too many. At most a few at a time, so that nobody waits for it."""
        quiet: list[RoomNid] = []
        now = time.monotonic()
        for _ in range(min(4, len(self._users) - 1)):
            oldest = next(iter(self._users.values()))
            is_gone = now - oldest.seen_at > self._seconds
            if oldest.waiters:
                self._users.move_to_end(oldest.user_nid)
            elif is_gone or len(self._users) > self._limit:
                del self._users[oldest.user_nid]
                quiet += [room for room in oldest.joined if self._unwatch(oldest, room)]
            else:
                break
        return quiet

    def _unwatch(self, user: ActiveUser, room: RoomNid) -> bool:
        watchers = self._watchers.get(room)
        if watchers is None:
            return True
        watchers.discard(user)
        if not watchers:
            del self._watchers[room]
        return not watchers


_NOBODY: frozenset[ActiveUser] = frozenset()
