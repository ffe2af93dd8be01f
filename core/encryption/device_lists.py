"""Whose device lists a user has to look at again, and whose no longer, between two positions.

A user follows those with whom they share a room. Who that is *now* stands in the memberships; who it was at an
earlier position follows by taking back the changes since, absolutely ("this member was joined then"), so that
memberships that are newer than the window do no harm. Everything is derived from log and history, hence right across
restarts.
Spec: Client-Server API, "Tracking the device list for a user", "Extensions to /sync".
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass

import orjson

from core.encryption.recent_changes import RecentChanges
from core.ids import EventNid, RoomNid, UserId, UserNid
from core.storage.device_lists import DeviceListStore, MemberChange
from core.storage.interning import Interner
from core.storage.memberships import membership_of

REMEMBERED_MEMBERSHIPS = 50_000
"""Of so many member events it is remembered whether they are joins."""


@dataclass(frozen=True, slots=True)
class ListChanges:
    """User ids, sorted."""

    changed: list[UserId]
    left: list[UserId]

    def __bool__(self) -> bool:
        return bool(self.changed or self.left)


NOTHING = ListChanges([], [])

Pairs = dict[UserNid, set[RoomNid]]


@dataclass(frozen=True, slots=True)
class _Moment:
    """Who was joined where at one position, as far as it is asked for: what differs from now."""

    joined: dict[tuple[RoomNid, UserNid], bool]

    def is_joined(self, room: RoomNid, user: UserNid, now: bool) -> bool:
        """Whether the user was joined, given whether they are now."""
        return self.joined.get((room, user), now)


class DeviceLists:
    """Answers `device_lists` of /sync, and /keys/changes."""

    def __init__(self, store: DeviceListStore, interner: Interner, recent: RecentChanges) -> None:
        self._store = store
        self._interner = interner
        self._recent = recent
        self._joins: OrderedDict[EventNid, bool] = OrderedDict()

    def between(self, user: UserNid, since: int, upto: int) -> ListChanges:
        """The changes for one user in (since, upto].

        Cost: nothing but memory where no list and no membership changed lately; a query or two where one did.
        """
        lines, rooms = self._recent.lines(since, upto), self._recent.rooms(since)
        if lines is not None and rooms is not None and not lines and not rooms:
            return NOTHING
        if self._store.horizon_is_past(since):
            return ListChanges(self._ids({user, *self._store.sharing(user)}), [])
        if lines is None:
            lines = self._store.lines(user, since, upto)
        newly, left, at_end = self._sharing_changes(user, since, upto, rooms)
        touched = {subject for subject, reference in lines if subject == reference}
        touched |= {reference for subject, reference in lines if subject == user}
        unsure = touched - at_end.keys() - {user}
        sharing = self._store.sharing(user, unsure) if unsure else set()
        changed = newly | sharing | {other for other in touched if at_end.get(other, False)} | ({user} & touched)
        return ListChanges(self._ids(changed), self._ids(left))

    def followers(self, user: int) -> set[UserNid]:
        """The users whose syncs a change of this user's list concerns, the user included."""
        return self._store.sharing(UserNid(user)) | {UserNid(user)}

    def _sharing_changes(
        self, user: UserNid, since: int, upto: int, rooms: Collection[RoomNid] | None
    ) -> tuple[set[UserNid], set[UserNid], dict[UserNid, bool]]:
        """(who shares a room only at the end, who only before, and of those looked at whether they share at the end).

        `rooms` are those whose state changed, None where that is not known.
        """
        nobody: tuple[set[UserNid], set[UserNid], dict[UserNid, bool]] = (set(), set(), {})
        if rooms is not None and not (rooms and self._store.rooms_with(user, rooms)):
            return nobody
        own_now = self._store.rooms_with(user)
        member_type = self._interner.find("m.room.member")
        if not own_now or member_type is None:
            return nobody
        looked_at = list(own_now) if rooms is None else [room for room in rooms if room in own_now]
        before, after, moved = self._moments(self._store.member_changes(looked_at, member_type, since), upto)
        if not moved:
            return nobody
        own_before = {room for room, now in own_now.items() if before.is_joined(room, user, now)}
        own_after = {room for room, now in own_now.items() if after.is_joined(room, user, now)}
        candidates = {other for room, other in moved if room in own_before or room in own_after}
        entered_or_left = own_before ^ own_after
        if entered_or_left:
            candidates |= {other for _, other in self._store.joined(entered_or_left)}
        candidates.discard(user)
        shared_now: Pairs = {other: set() for other in candidates}
        for room, other in self._store.joined_pairs(user, candidates):
            shared_now[other].add(room)
        rooms_moved: Pairs = {}
        for room, other in moved:
            rooms_moved.setdefault(other, set()).add(room)
        newly: set[UserNid] = set()
        left: set[UserNid] = set()
        at_end: dict[UserNid, bool] = {}
        for other, now in shared_now.items():
            possible = now | rooms_moved.get(other, set())
            did = any(before.is_joined(room, other, room in now) for room in possible & own_before)
            does = at_end[other] = any(after.is_joined(room, other, room in now) for room in possible & own_after)
            if does != did:
                (newly if does else left).add(other)
        return newly, left, at_end

    def _moments(self, changes: list[MemberChange], upto: int) -> tuple[_Moment, _Moment, set[tuple[RoomNid, UserNid]]]:
        """The moments before the changes and at `upto`, and (room, user) of those whose membership changed."""
        first: dict[tuple[RoomNid, UserNid], EventNid] = {}
        first_after: dict[tuple[RoomNid, UserNid], EventNid] = {}
        for change in changes:
            key = (change.room_nid, change.user_nid)
            first.setdefault(key, change.old_nid)
            if change.position > upto:
                first_after.setdefault(key, change.old_nid)
        joins = self._are_joins({*first.values(), *first_after.values()})
        before = _Moment({key: joins[event] for key, event in first.items()})
        after = _Moment({key: joins[event] for key, event in first_after.items()})
        return before, after, set(first)

    def _are_joins(self, events: Collection[EventNid]) -> dict[EventNid, bool]:
        """Whether each member event is a join; no event is none."""
        found = {event: self._joins[event] for event in events if event in self._joins}
        found[EventNid(0)] = False
        missing = [event for event in events if event not in found]
        if missing:
            pdus = self._store.pdus(missing)
            for event in missing:
                pdu = orjson.loads(pdus[event]) if event in pdus else {}
                found[event] = self._joins[event] = membership_of(pdu.get("content")) == "join"
            while len(self._joins) > REMEMBERED_MEMBERSHIPS:
                self._joins.popitem(last=False)
        return found

    def _ids(self, users: Collection[UserNid]) -> list[UserId]:
        return sorted(UserId(text) for text in self._interner.texts(users).values()) if users else []
