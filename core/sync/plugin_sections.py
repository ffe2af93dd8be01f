"""Keys of syncs that plugins add, and how plugins wake those who wait for them."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import orjson

from core.graph.graph import Graph
from core.hooks.declarations import SyncRange, SyncSection
from core.hooks.errors import PluginError, PluginFailed
from core.hooks.manager import Contribution, PluginManager
from core.ids import Position, Requester, RoomId, UserId
from core.storage.rooms import RoomStore
from core.sync.asking import Asking, Window
from core.sync.notifier import Notifier
from core.sync.sections import Fields

READ_SECONDS = 1.0
"""A plugin that takes longer to say what is new is left out of the answer."""
TAKEN = frozenset({"next_batch", "rooms", "account_data", "to_device", "device_lists", "device_one_time_keys_count"})
"""Keys that are the server's own."""


class PluginSections:
    """All sections that plugins contributed. A Section of core.sync.sections."""

    def __init__(self, plugins: PluginManager, sections: Sequence[Contribution[SyncSection]], rooms: RoomStore) -> None:
        """Raises PluginError for a key that is the server's own."""
        for one in sections:
            if one.item.name in TAKEN:
                raise PluginError(f"The plugin {one.plugin} adds {one.item.name} to syncs, which is the server's own.")
        self._plugins = plugins
        self._sections = sections
        self._rooms = rooms

    def current(self, asking: Asking) -> Fields:
        """What holds now."""
        return self._read(asking, None, None) if self._sections else {}

    def news(self, asking: Asking) -> Fields:
        """What changed in the window."""
        if not self._sections:
            return {}
        window = asking.window
        return self._read(asking, Position(window.since), window.counted_since or None)

    def now(self, name: str, requester: Requester, upto: Position, tick: int) -> Mapping[str, Any]:
        """What one section holds at a position and a tick, as a first sync would tell it; empty where there is none."""
        for one in self._sections:
            if one.item.name == name:
                asked = SyncRange(requester.user_id, requester.device_id, None, upto, None, tick, {})
                try:
                    found = self._plugins.run(one.plugin, f"sync_section:{name}", READ_SECONDS, one.item.read, asked)
                except PluginFailed:  # counted and logged by the guard
                    return {}
                return found or {}
        return {}

    def _read(self, asking: Asking, since: Position | None, since_tick: int | None) -> Fields:
        requester, window = asking.request.requester, asking.window
        joined = frozenset() if since is None else self._joined_rooms(window)
        found: dict[str, bytes] = {}
        for one in self._sections:
            asked = SyncRange(
                requester.user_id,
                requester.device_id,
                since,
                Position(window.upto),
                since_tick,
                window.counted_upto,
                _filter_of(asking, one.item.name),
                joined,
            )
            name = f"sync_section:{one.item.name}"
            try:
                answer = self._plugins.run(one.plugin, name, READ_SECONDS, one.item.read, asked)
            except PluginFailed:  # counted and logged by the guard
                continue
            if answer is not None:
                found[one.item.name] = orjson.dumps(answer)
        return found

    def _joined_rooms(self, window: Window) -> frozenset[RoomId]:
        """The rooms that the user joined in the window; all of theirs where memory does not say."""
        user = window.user
        if not window.is_known:
            nids = set(user.joined)
        else:
            nids = {room for room, position in user.own.items() if position > window.since and room in user.joined}
        return frozenset(name.room_id for name in self._rooms.names(nids).values()) if nids else frozenset()


class PluginSync:
    """Wakes waiting syncs. Implements core.hooks.api.Sync."""

    def __init__(self, notifier: Notifier, graph: Graph) -> None:
        self._notifier = notifier
        self._graph = graph

    def advance(self, *, users: Collection[UserId] = (), rooms: Collection[RoomId] = ()) -> int:
        """Take the next tick and wake these users and the members of these rooms."""
        for user_id in users:
            user_nid = self._graph.texts.find(user_id)
            if user_nid is not None:
                self._notifier.count_for_user(user_nid)
        for room_id in rooms:
            room = self._graph.rooms.find(room_id)
            if room is not None:
                self._notifier.count_in_room(room.room_nid)
        return self._notifier.count


def _filter_of(asking: Asking, name: str) -> Mapping[str, Any]:
    """The client's filter of that name, as it would be written out."""
    if name != "presence":
        return {}
    wanted = asking.filter.presence
    written = {
        field.name: getattr(wanted, field.name)
        for field in dataclasses.fields(wanted)
        if not field.name.startswith("_")
    }
    return {key: value for key, value in written.items() if value is not None}
