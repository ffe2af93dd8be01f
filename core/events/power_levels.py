"""Power levels: who may do how much in a room, read as leniently as the room's version allows and no further.

Nothing is read before it is asked for: an ordinary message needs two numbers of a content that may list thousands of
users. A value that is no power level in the version counts as absent.

Spec: Client-Server API, `m.room.power_levels`; fragments v1-stringy-power-levels (until room version 9) and
v1-floaty-power-levels (until 5); room version 12, "Room creators".
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from core.events.event import Event
from core.events.room_versions import RoomVersion

INFINITE = 2**63
"""The level of creators from room version 12: above every level an event can set there."""

CREATOR_DEFAULT = 100
"""The level of the creator, before room version 12, while the room has no power levels event."""

ACTION_DEFAULTS: Mapping[str, int] = MappingProxyType(
    {"invite": 0, "kick": 50, "ban": 50, "redact": 50, "users_default": 0, "events_default": 0, "state_default": 50}
)
"""What a property of the content is where it is not given, or there is no such event."""

_STRINGY = re.compile(r"\s*[+-]?[0-9]{1,400}\s*", re.ASCII)


class PowerLevels:
    """The power levels of a room at one state of it."""

    __slots__ = ("_content", "_creators", "_exists", "_version")

    def __init__(self, content: Mapping[str, Any] | None, creators: frozenset[str], version: RoomVersion) -> None:
        self._exists = content is not None
        self._content: Mapping[str, Any] = content if content is not None else {}
        self._creators = creators
        self._version = version

    @classmethod
    def of(cls, state: Callable[[str, str], Event | None]) -> PowerLevels:
        """The levels that `state` sets; a state without create event grants nobody anything special."""
        create = state("m.room.create", "")
        levels = state("m.room.power_levels", "")
        return cls.from_events(create, levels)

    @classmethod
    def from_events(cls, create: Event | None, levels: Event | None) -> PowerLevels:
        """The levels set by these two events. Raises ValueError where both are missing, since no version is known."""
        event = create or levels
        if event is None:
            raise ValueError("power levels need a create event or a power levels event to be read from")
        creators = creators_of(create) if create is not None else frozenset()
        return cls(levels.content if levels is not None else None, creators, event.version)

    def of_user(self, user_id: str) -> int:
        """The user's level; `INFINITE` for creators from room version 12."""
        if user_id in self._creators and (self._version.privileged_creators or not self._exists):
            return INFINITE if self._version.privileged_creators else CREATOR_DEFAULT
        users = self._content.get("users")
        if isinstance(users, dict) and user_id in users:
            level = power_level(users[user_id], self._version)
            if level is not None:
                return level
        return self.to("users_default")

    def to_send(self, event_type: str, is_state: bool) -> int:
        """The level required to send an event of `event_type`. Not for memberships, which have actions of their own."""
        events = self._content.get("events")
        if isinstance(events, dict) and event_type in events:
            level = power_level(events[event_type], self._version)
            if level is not None:
                return level
        return self.to("state_default" if is_state else "events_default")

    def to(self, action: str) -> int:
        """The level for `invite`, `kick`, `ban` or `redact`, or one of the three defaults (`users_default`, ...)."""
        if action in self._content:
            level = power_level(self._content[action], self._version)
            if level is not None:
                return level
        return ACTION_DEFAULTS[action]

    def to_notify(self, kind: str) -> int:
        """The level required to trigger the notification `kind`, such as `room`; 50 where not given."""
        notifications = self._content.get("notifications")
        if isinstance(notifications, dict) and kind in notifications:
            level = power_level(notifications[kind], self._version)
            if level is not None:
                return level
        return 50


def power_level(value: Any, version: RoomVersion) -> int | None:
    """The integer that `value` stands for in `version`, or None where it is no power level there."""
    kind = type(value)
    if kind is int:
        return int(value)
    if version.integer_power_levels:
        return None
    if kind is str:
        return int(value) if _STRINGY.fullmatch(value) else None
    if kind is float and math.isfinite(value):
        return int(value)
    return None


def creators_of(create: Event) -> frozenset[str]:
    """The room's creators: the content's `creator` until room version 10, the sender from 11, and from 12 also
    `additional_creators`."""
    if not create.version.implicit_creator:
        creator = create.content.get("creator")
        return frozenset((creator,)) if isinstance(creator, str) else frozenset()
    if not create.version.privileged_creators:
        return frozenset((create.sender,))
    additional = create.content.get("additional_creators")
    others = additional if isinstance(additional, list) else []
    return frozenset((create.sender, *(user for user in others if isinstance(user, str))))
