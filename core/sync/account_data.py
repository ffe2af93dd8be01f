"""Account data in syncs: the account's own at the top, the rooms' with their rooms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import orjson

from core.events.event_filter import EventFilter
from core.ids import RoomId, RoomNid
from core.storage.account_data import AccountDataStore
from core.storage.log import Kind
from core.storage.rooms import RoomStore
from core.sync.asking import Asking
from core.sync.sections import Fields


class AccountDataSection:
    """The account's own data."""

    def __init__(self, store: AccountDataStore) -> None:
        self._store = store

    def current(self, asking: Asking) -> Fields:
        """All of it."""
        return _fields(self._store.all(asking.viewer.user_nid), asking.filter.account_data)

    def news(self, asking: Asking) -> Fields:
        """What was set in the window."""
        window = asking.window
        if not window.has(Kind.ACCOUNT_DATA):
            return {}
        changed = self._store.changed(asking.viewer.user_nid, window.since, window.upto)
        return _fields(changed, asking.filter.account_data)


class RoomAccountDataSection:
    """The data of each room."""

    def __init__(self, store: AccountDataStore, rooms: RoomStore) -> None:
        self._store = store
        self._rooms = rooms

    def current(self, asking: Asking, rooms: Mapping[RoomNid, RoomId]) -> Mapping[RoomNid, Fields]:
        """All of it."""
        wanted = asking.filter.room.account_data
        if wanted.wants_nothing or not rooms:
            return {}
        found = self._store.all_in_rooms(asking.viewer.user_nid, None if asking.is_initial else list(rooms.values()))
        return {
            nid: fields
            for nid, room_id in rooms.items()
            if room_id in found and wanted.wants_room(room_id) and (fields := _fields(found[room_id], wanted))
        }

    def news(self, asking: Asking, rooms: Mapping[RoomNid, RoomId]) -> Mapping[RoomNid, Fields]:
        """What was set in the window."""
        window, wanted = asking.window, asking.filter.room.account_data
        if wanted.wants_nothing or not window.has(Kind.ROOM_ACCOUNT_DATA):
            return {}
        changed = self._store.changed_in_rooms(asking.viewer.user_nid, window.since, window.upto)
        found: dict[RoomNid, Fields] = {}
        for room_id, contents in changed.items():
            room = self._rooms.find(room_id)
            if room is not None and wanted.wants_room(room_id) and (fields := _fields(contents, wanted)):
                found[room.room_nid] = fields
        return found


def _fields(contents: Iterable[tuple[str, bytes]], wanted: EventFilter) -> Fields:
    events = [
        b'{"content":%b,"type":%b}' % (content, orjson.dumps(type_))
        for type_, content in contents
        if wanted.matches(type_)
    ]
    return {"account_data": events} if events else {}
