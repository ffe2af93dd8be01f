"""Tells who is online, late enough to be cheap.

What users say themselves is told at once. What follows from their syncs, or comes from other servers, is gathered and
told together, every FLUSH_SECONDS, for BUDGET_SECONDS at most: who does not fit waits for the next time, and then is
told only as they are by then. So presence takes at most a hundredth of a core, however many come and go.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final

from flask import Blueprint

from core.hooks import (
    DeviceId,
    Edu,
    Forbidden,
    PluginApi,
    PluginError,
    Requester,
    RoomId,
    ServerName,
    SyncRange,
    SyncSection,
    UserId,
    hookimpl,
)
from plugins.presence import endpoints
from plugins.presence.tracker import OFFLINE, STATES, Record, Tracker

FLUSH_SECONDS: Final = 10.0
"""How often what was gathered is told."""
BUDGET_SECONDS: Final = 0.1
"""How much of the CPU one time of telling may take."""
MOST_PER_SYNC: Final = 1_000
"""So many presences are in one sync; those that changed last."""
MOST_PER_EDU: Final = 100
"""So many presences are read from one message of another server."""
TYPE: Final = "m.presence"


@dataclass(frozen=True, slots=True)
class PresenceSettings:
    """`enabled`: true, false or "untracked", which passes on what others say and tells nothing of local users."""

    enabled: bool | str = True
    include_offline: bool = False


class Presence:
    """Implements `user_active` and contributes endpoints, a section of syncs and an EDU."""

    def __init__(self, settings: PresenceSettings, api: PluginApi, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._api = api
        self._clock = clock
        self._tracker = Tracker()
        self._is_tracking = settings.enabled is True
        self._flushed_at = float("-inf")
        self._is_due = False

    @staticmethod
    def parse_config(config: Mapping[str, Any]) -> PresenceSettings:
        """Read the plugin's part of the configuration."""
        unknown = sorted(set(config) - {"enabled", "include_offline"})
        if unknown:
            raise PluginError(f"{unknown[0]} is no setting of presence; there are enabled and include_offline")
        enabled, include_offline = config.get("enabled", True), config.get("include_offline", False)
        if not isinstance(enabled, bool) and enabled != "untracked":
            raise PluginError(f"enabled is {enabled!r}; it must be true, false or untracked")
        if not isinstance(include_offline, bool):
            raise PluginError(f"include_offline is {include_offline!r}; it must be true or false")
        return PresenceSettings(enabled, include_offline)

    @hookimpl
    def contribute_blueprints(self) -> Sequence[Blueprint]:
        """Endpoints, which clients ask for whether or not there is presence."""
        return [endpoints.blueprint(self._api, self)]

    @hookimpl
    def contribute_sync_sections(self) -> Sequence[SyncSection]:
        """The key `presence` of syncs."""
        return [SyncSection("presence", self.read)] if self._settings.enabled else []

    @hookimpl
    def contribute_edus(self) -> Sequence[Edu]:
        """What other servers say."""
        return [Edu(TYPE, self.receive)] if self._settings.enabled else []

    @hookimpl
    def user_active(self, user_id: UserId, device_id: DeviceId | None, set_presence: str, is_acting: bool) -> None:
        """A device syncs. That makes it present, unless it says `set_presence=offline`, which changes nothing.

        Who acts, as far as they are present at all, is not idle.
        """
        if not self._is_tracking or set_presence == OFFLINE:
            return
        if is_acting:
            self._tracker.act(user_id, self._clock())
        else:
            self._tracker.seen(user_id, device_id or "", set_presence, self._clock())
        if not self._tracker.is_idle:
            self._flush_later()

    @hookimpl
    def user_joined(self, user_id: UserId, room_id: RoomId) -> None:
        """Who came into a room is shown to those who are there; whom they see there, their own sync asks for."""
        record = self._tracker.find(user_id) if self._is_tracking else None
        if record is not None and record.state != OFFLINE:
            tick = self._api.sync.advance(rooms=(room_id,))
            self._tracker.tell(record, tick, record.rooms | {room_id})
            self._tell_servers(record)

    def set_status(self, requester: Requester, state: str, status_msg: str | None) -> None:
        """A user says what they are: told at once."""
        if not self._is_tracking:
            return
        device = requester.device_id or ""
        record = self._tracker.set(requester.user_id, device, state, status_msg, self._clock())
        if not record.is_told:
            rooms = self._api.rooms.rooms_of(requester.user_id)
            tick = self._api.sync.advance(users=(requester.user_id,), rooms=rooms)
            self._tracker.tell(record, tick, frozenset(rooms), is_own_word=True)
            self._tell_servers(record)
        self._flush_later()

    def read_status(self, requester: Requester, user_id: UserId) -> Mapping[str, Any]:
        """What a user is. Raises Forbidden unless the requester is the user or in a room with them."""
        rooms = self._api.rooms
        if requester.user_id != user_id and not rooms.is_in_any(requester.user_id, rooms.rooms_of(user_id)):
            raise Forbidden("You may see the presence only of users with whom you share a room.")
        record = self._tracker.find(user_id)
        return {"presence": OFFLINE} if record is None else record.content(self._clock())

    def receive(self, origin: ServerName, content: Mapping[str, Any]) -> None:
        """Another server says what its users are; what it says of others, or wrongly, is left out."""
        pushed = content.get("push")
        now = self._clock()
        for said in pushed[:MOST_PER_EDU] if isinstance(pushed, list) else ():
            if not isinstance(said, dict):
                continue
            user_id, state, status_msg = said.get("user_id"), said.get("presence"), said.get("status_msg")
            if not isinstance(user_id, str) or user_id.partition(":")[2] != origin or state not in STATES:
                continue
            if self._tracker.find(UserId(user_id)) is None and not self._api.rooms.rooms_of(UserId(user_id)):
                continue
            ago = said.get("last_active_ago")
            active_at = now - ago / 1000 if type(ago) is int and 0 <= ago < 10**12 else None
            message = status_msg[: endpoints.MAX_STATUS_BYTES] if isinstance(status_msg, str) else None
            self._tracker.learn(UserId(user_id), state, message, active_at)
        if not self._tracker.is_idle:
            self._flush_later()

    def read(self, asked: SyncRange) -> Mapping[str, Any] | None:
        """The presence of those in rooms with the user, as far as the sync does not know it."""
        is_first = asked.since is None or asked.since_tick is None
        known = 0 if is_first or asked.since_tick is None else asked.since_tick
        now = self._clock()
        chosen: list[Record] = []
        own = self._tracker.find(asked.user_id) if is_first else None
        if own is not None and _is_wanted(own.user_id, asked.filter):
            chosen.append(own)  # as it is now: this very sync may have made its user present
        for record in self._tracker.since(0 if asked.joined_rooms else known):
            if len(chosen) >= min(MOST_PER_SYNC, asked.filter.get("limit") or MOST_PER_SYNC):
                break
            if record.tick > asked.until_tick or not _is_wanted(record.user_id, asked.filter):
                continue
            if self._is_news(record, asked, is_first, record.tick > known):
                chosen.append(record)
        events = [{"type": TYPE, "sender": one.user_id, "content": one.content(now)} for one in chosen]
        return {"events": events} if events else None

    def _is_news(self, record: Record, asked: SyncRange, is_first: bool, is_changed: bool) -> bool:
        """Whether a sync should tell of a record: it changed, or the user has come to share a room."""
        if record.user_id == asked.user_id:
            return not is_first and is_changed and record.is_own_word
        if is_first or not is_changed:
            if record.state == OFFLINE and not (is_first and self._settings.include_offline):
                return False
            if not is_changed and record.rooms.isdisjoint(asked.joined_rooms):
                return False
        return self._api.rooms.is_in_any(asked.user_id, record.rooms)

    def flush(self) -> None:
        """Tell what was gathered, as far as the budget goes; and come again while there may be more.

        All is told under one tick, so whoever waits is woken once. That they are online users are not told themselves.
        """
        self._is_due = False
        self._flushed_at = self._clock()
        self._tracker.expire(self._flushed_at)
        chosen: list[tuple[Record, frozenset[RoomId]]] = []
        started = time.thread_time()
        for record in self._tracker.untold():
            chosen.append((record, frozenset(self._api.rooms.rooms_of(record.user_id))))
            if time.thread_time() - started >= BUDGET_SECONDS:
                break
        if chosen:
            tick = self._api.sync.advance(rooms=frozenset().union(*(rooms for _, rooms in chosen)))
            for record, rooms in chosen:
                self._tracker.tell(record, tick, rooms)
            for record, _ in chosen:
                self._tell_servers(record)
        if not self._tracker.is_idle:
            self._flush_later()

    def _tell_servers(self, record: Record) -> None:
        """Tell the other servers of a local user's rooms."""
        if record.user_id.endswith(f":{self._api.server.server_name}"):
            servers = self._api.rooms.servers_sharing(record.user_id)
            if servers:
                push = {"user_id": record.user_id, "last_active_ago": 0, **record.content(self._clock())}
                self._api.federation.send_edu(TYPE, {"push": [push]}, servers, record.user_id)

    def _flush_later(self) -> None:
        """Come as soon as FLUSH_SECONDS have passed since the last time."""
        if not self._is_due:
            wait = max(0.0, self._flushed_at + FLUSH_SECONDS - self._clock())
            self._api.work.spawn("flush", self.flush, after_seconds=wait)
            self._is_due = True


def _is_wanted(sender: UserId, wanted: Mapping[str, Any]) -> bool:
    """Whether a filter of syncs lets the presence of `sender` through."""
    types, senders = wanted.get("types"), wanted.get("senders")
    if types is not None and not any(fnmatchcase(TYPE, pattern) for pattern in types):
        return False
    if any(fnmatchcase(TYPE, pattern) for pattern in wanted.get("not_types") or ()):
        return False
    return (senders is None or sender in senders) and sender not in (wanted.get("not_senders") or ())
