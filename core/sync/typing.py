"""Typing in syncs: the whole list of a room, each time it changed. Spec: Client-Server API, "Typing Notifications".

It is only in memory, so changes have counts instead of positions; see core.sync.notifier.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Protocol

import orjson

from core.ids import RoomId, RoomNid, UserId
from core.storage.rooms import RoomStore
from core.sync.asking import Asking
from core.sync.sections import Fields

_TYPE = "m.typing"


class TypingLists(Protocol):
    """Who is typing where: core.rooms.typing.TypingBook."""

    def typing_in(self, room: RoomNid) -> list[UserId]: ...

    def rooms_with_typing(self, rooms: Iterable[RoomNid]) -> Collection[RoomNid]: ...

    def changed_since(self, count: int) -> Iterator[RoomNid]: ...


class TypingSection:
    """Typing lists under `ephemeral`."""

    def __init__(self, typing: TypingLists, rooms: RoomStore) -> None:
        self._typing = typing
        self._rooms = rooms

    def current(self, asking: Asking, rooms: Mapping[RoomNid, RoomId]) -> Mapping[RoomNid, Fields]:
        """Who is typing in each room in which somebody is."""
        return self._lists(asking, {room: rooms[room] for room in self._typing.rooms_with_typing(rooms)})

    def news(self, asking: Asking, rooms: Mapping[RoomNid, RoomId]) -> Mapping[RoomNid, Fields]:
        """The lists that changed since the count the client knows of; an empty list says that nobody types any more."""
        window = asking.window
        if window.counted_upto == window.counted_since:
            return {}
        joined = window.user.joined
        changed = [room for room in self._typing.changed_since(window.counted_since) if room in joined]
        return self._lists(asking, {room: self._rooms.name(room).room_id for room in changed})

    def _lists(self, asking: Asking, rooms: Mapping[RoomNid, RoomId]) -> dict[RoomNid, Fields]:
        wanted = asking.filter.room.ephemeral
        if not rooms or not wanted.matches(_TYPE):
            return {}
        ignored = asking.ignored
        found: dict[RoomNid, Fields] = {}
        for room, room_id in rooms.items():
            if wanted.wants_room(room_id):
                users = [user for user in self._typing.typing_in(room) if user not in ignored]
                found[room] = {"ephemeral": [orjson.dumps({"type": _TYPE, "content": {"user_ids": users}})]}
        return found
