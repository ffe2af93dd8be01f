"""The user directory: who can be found by name, and by whom.

Users are learnt of from the rooms' states as these change, local ones also from their profiles, and kept in tables of
the plugin's own. Who may find whom is looked up when somebody searches, so it is never out of date.
Spec: Client-Server API, "User directory".
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from flask import Blueprint

from core.hooks import (
    Consumer,
    EventId,
    LogKind,
    LogLine,
    PluginApi,
    PluginError,
    RoomId,
    RoomView,
    TableSet,
    UserId,
    hookimpl,
)
from plugins.user_directory import endpoints
from plugins.user_directory.tables import MOST_CHARACTERS, TABLES, DirectoryTables, Entry, folded

CONSUMER = "users"
SETTLE_SECONDS = 0.05
CATCH_UP_SECONDS = 2.0
MOST_WORDS = 10
CANDIDATES_AT_ONCE = 100
MOST_CANDIDATES = 2_000
"""How many matching users are looked at for those whom the searcher may find."""
EVENTS_AT_ONCE = 200
_SETTINGS = {
    "enabled": True,
    "search_all_users": False,
    "prefer_local_users": False,
    "exclude_remote_users": False,
    "show_locked_users": False,
}
_PUBLIC_TYPES = ("m.room.join_rules", "m.room.history_visibility", "m.room.create")

Member = tuple[RoomId, UserId, EventId | None]
"""A changed membership: where, whose, and the event it is now."""


class UserDirectory:
    """The plugin."""

    def __init__(self, config: Mapping[str, Any], api: PluginApi) -> None:
        for key, value in config.items():
            if key not in _SETTINGS or not isinstance(value, bool):
                raise PluginError(f"user_directory has the settings {', '.join(_SETTINGS)}, each true or false.")
        settings = {**_SETTINGS, **config}
        self._api = api
        self._tables = DirectoryTables(api)
        self._registered: list[UserId] = []
        """Who registered a moment ago: those who come together are written together."""
        self._enabled, self._search_all = settings["enabled"], settings["search_all_users"]
        self._local_first, self._only_local = settings["prefer_local_users"], settings["exclude_remote_users"]
        self._shows_locked = settings["show_locked_users"]

    @hookimpl
    def contribute_tables(self) -> list[TableSet]:
        """Users and public rooms."""
        return [TABLES]

    @hookimpl
    def contribute_blueprints(self) -> list[Blueprint]:
        """The search."""
        return [endpoints.blueprint(self._api, self)]

    @hookimpl
    def contribute_consumers(self) -> list[Consumer]:
        """The follower by which the tables are kept up to date, from the first room on."""
        if not self._enabled:
            return []
        kinds = frozenset({LogKind.STATE, LogKind.PROFILE})
        return [Consumer(CONSUMER, kinds, self.follow, from_start=True, settle_seconds=SETTLE_SECONDS, may_repeat=True)]

    @hookimpl
    def user_registered(self, user_id: UserId, is_guest: bool) -> None:
        """Make a new user known who is in no room yet."""
        if self._enabled and not is_guest:
            if not self._registered:
                # most have a profile, and the follower has taken them in before
                self._api.work.spawn("add users", self._add_registered, after_seconds=2 * SETTLE_SECONDS)
            self._registered.append(user_id)

    @hookimpl
    def user_status_changed(self, user_id: UserId, is_deactivated: bool) -> None:
        """Forget users who are no more, and find again those who are back."""
        if not self._enabled:
            return
        if is_deactivated:
            self._tables.change([], [user_id])
        else:
            self._write([self._local(user_id)], [])

    def search(self, searcher: UserId, term: str, limit: int) -> tuple[list[Entry], bool]:
        """(at most `limit` users, best first; whether there are more)."""
        words = folded(term.strip().removeprefix("@"))[:MOST_WORDS]
        if not self._enabled or not words:
            return [], False
        self._api.catch_up(CONSUMER, CATCH_UP_SECONDS)
        if self._registered:
            self._add_registered()
        found: list[Entry] = []
        mine = frozenset(self._api.rooms.rooms_of(searcher))
        for offset in range(0, MOST_CANDIDATES, CANDIDATES_AT_ONCE):
            candidates = self._tables.matching(words, self._only_local, self._local_first, offset, CANDIDATES_AT_ONCE)
            for entry in candidates:
                if entry.user_id != searcher and self._may_find(mine, entry.user_id):
                    if len(found) == limit:
                        return found, True
                    found.append(entry)
            if len(candidates) < CANDIDATES_AT_ONCE:
                return found, False
        return found, True

    def follow(self, lines: Sequence[LogLine]) -> None:
        """Take in what changed."""
        members: dict[tuple[RoomId, UserId], Member] = {}
        locals_changed: dict[UserId, None] = {}
        public: dict[RoomId, bool] = {}
        for line in lines:
            if line.user_id is not None:
                locals_changed[line.user_id] = None
            room_id = line.room_id
            if room_id is None:
                continue
            for change in line.changes:
                if change.key[0] == "m.room.member":
                    user_id = UserId(change.key[1])
                    members[room_id, user_id] = (room_id, user_id, change.new)
                elif change.key[0] in _PUBLIC_TYPES:
                    public[room_id] = _is_public(self._api.rooms.find(room_id))
        moved = list(members.values())
        while len(moved) > EVENTS_AT_ONCE:  # a large room that was joined: others have their turn between the parts
            entries, gone = self._from_members(moved[:EVENTS_AT_ONCE])
            self._write(entries.values(), gone)
            del moved[:EVENTS_AT_ONCE]
        entries, gone = self._from_members(moved)
        for user_id in locals_changed:
            if self._is_local(user_id):
                entries[user_id] = self._local(user_id)
        self._write(entries.values(), gone, public)

    def _from_members(self, members: Sequence[Member]) -> tuple[dict[UserId, Entry], list[UserId]]:
        """(users as changed memberships show them, users of other servers who are in no room any more)."""
        entries: dict[UserId, Entry] = {}
        gone: list[UserId] = []
        events = self._api.rooms.events([event_id for _, _, event_id in members if event_id is not None])
        for _, user_id, event_id in members:
            event = None if event_id is None else events.get(event_id)
            if event is not None and event.content.get("membership") == "join":
                is_local = self._is_local(user_id)
                entries[user_id] = self._local(user_id) if is_local else _remote(user_id, event.content)
            elif not self._is_local(user_id) and not self._api.rooms.rooms_of(user_id):
                gone.append(user_id)
        return entries, gone

    def _write(
        self, entries: Collection[Entry], gone: Collection[UserId], public: Mapping[RoomId, bool] | None = None
    ) -> None:
        """Write what is not written already."""
        entered = {entry.user_id for entry in entries}
        known = self._tables.known(entered)
        changed = [entry for entry in entries if known.get(entry.user_id) != entry]
        rooms = public or {}
        listed = self._tables.public_among(rooms)
        toggled = {room: is_public for room, is_public in rooms.items() if is_public != (room in listed)}
        self._tables.change(changed, [user_id for user_id in gone if user_id not in entered], toggled)

    def _add_registered(self) -> None:
        registered, self._registered = self._registered, []
        self._write([self._local(user_id) for user_id in registered], [])

    def _may_find(self, mine: frozenset[RoomId], user_id: UserId) -> bool:
        """Whether who is in the rooms `mine` may find a user."""
        if not self._shows_locked and self._api.users.is_locked(user_id):
            return False
        if self._search_all:
            return True
        theirs = self._api.rooms.rooms_of(user_id)
        return not mine.isdisjoint(theirs) or bool(self._tables.public_among(theirs))

    def _is_local(self, user_id: UserId) -> bool:
        return user_id.partition(":")[2] == self._api.server.server_name

    def _local(self, user_id: UserId) -> Entry:
        profile = self._api.users.profile(user_id)
        if profile is None:
            return Entry(user_id, True, None, None)
        return Entry(user_id, True, _clipped(profile.displayname), _clipped(profile.avatar_url))


def _remote(user_id: UserId, content: Mapping[str, Any]) -> Entry:
    return Entry(user_id, False, _clipped(content.get("displayname")), _clipped(content.get("avatar_url")))


def _clipped(value: Any) -> str | None:
    """A text as the tables keep it, so that it can be compared with what they have."""
    if not isinstance(value, str) or not value:
        return None
    return value[:MOST_CHARACTERS].encode("utf-8", "replace").decode("utf-8")


def _is_public(room: RoomView | None) -> bool:
    """Whether anybody may join a room or look into it."""
    if room is None:
        return False
    rules, visibility = room.state_event("m.room.join_rules"), room.state_event("m.room.history_visibility")
    is_open = rules is not None and rules.content.get("join_rule") == "public"
    return is_open or (visibility is not None and visibility.content.get("history_visibility") == "world_readable")
