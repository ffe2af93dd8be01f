"""Event filters: what a client wants of a sync or a page of messages. Read strictly once, then asked for each event.

Spec: Client-Server API, "Filtering"; `related_by_rel_types` and `related_by_senders` are MSC3440's, which clients with
threads send. `rel_types` and `not_rel_types` are MSC3874's, and still have the prefix of a proposal.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from core.errors import BadJson
from core.events.globs import whole_pattern
from core.events.property_path import split_path

DEFAULT_LIMIT = 10
MAX_LIMIT = 1000

Relation = tuple[str, str]
"""One event that relates to the event in question: (relation type, sender)."""

T = TypeVar("T", bound="EventFilter")


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events by type and sender, and how many. None for a list that was not given: everything."""

    limit: int | None = None
    types: tuple[str, ...] | None = None
    not_types: tuple[str, ...] = ()
    senders: frozenset[str] | None = None
    not_senders: frozenset[str] = frozenset()
    _wanted: re.Pattern[str] | None = field(default=None, init=False, repr=False, compare=False)
    _unwanted: re.Pattern[str] | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_wanted", None if self.types is None else _any_type(self.types))
        object.__setattr__(self, "_unwanted", _any_type(self.not_types) if self.not_types else None)

    def limit_within(self, default: int = DEFAULT_LIMIT, maximum: int = MAX_LIMIT) -> int:
        """The number of events to answer with: what was asked for, `default` without, never more than `maximum`."""
        return min(default if self.limit is None else self.limit, maximum)

    def matches(self, event_type: str, sender: str | None = None) -> bool:
        """Whether an event of this type and sender is wanted; what has no sender is not judged by sender."""
        if self._unwanted is not None and self._unwanted.match(event_type):
            return False
        if self._wanted is not None and not self._wanted.match(event_type):
            return False
        if sender is None:
            return True
        return sender not in self.not_senders and (self.senders is None or sender in self.senders)

    @property
    def wants_nothing(self) -> bool:
        """Whether no event at all can match, so that none need be read."""
        return self.types == () or self.senders == frozenset()


@dataclass(frozen=True, slots=True)
class RoomEventFilter(EventFilter):
    """An `EventFilter` for what happens in rooms."""

    rooms: frozenset[str] | None = None
    not_rooms: frozenset[str] = frozenset()
    contains_url: bool | None = None
    lazy_load_members: bool = False
    include_redundant_members: bool = False
    unread_thread_notifications: bool = False
    related_by_rel_types: frozenset[str] | None = None
    related_by_senders: frozenset[str] | None = None
    rel_types: frozenset[str] | None = None
    not_rel_types: frozenset[str] = frozenset()

    def wants_room(self, room_id: str) -> bool:
        """Whether events of the room may match at all."""
        return room_id not in self.not_rooms and (self.rooms is None or room_id in self.rooms)

    @property
    def judges_relations(self) -> bool:
        """Whether `matches_event` needs to know what relates to an event."""
        return self.related_by_rel_types is not None or self.related_by_senders is not None

    def matches_event(
        self,
        event_type: str,
        sender: str | None,
        room_id: str,
        content: Mapping[str, Any],
        related_by: Callable[[], Iterable[Relation]] = tuple,
    ) -> bool:
        """Whether the event is wanted. `related_by` gives what relates to it, and is asked last, only if it matters."""
        if not self.wants_room(room_id) or not self.matches(event_type, sender):
            return False
        if self.contains_url is not None and ("url" in content) is not self.contains_url:
            return False
        if not self._wants_own_relation(content):
            return False
        return not self.judges_relations or any(self._wants_relation(*relation) for relation in related_by())

    def _wants_own_relation(self, content: Mapping[str, Any]) -> bool:
        """Whether the way in which the event itself relates to another, if it does, is wanted."""
        if self.rel_types is None and not self.not_rel_types:
            return True
        relation = content.get("m.relates_to")
        rel_type = relation.get("rel_type") if isinstance(relation, Mapping) else None
        if not isinstance(rel_type, str):
            return self.rel_types is None
        return rel_type not in self.not_rel_types and (self.rel_types is None or rel_type in self.rel_types)

    def _wants_relation(self, rel_type: str, sender: str) -> bool:
        types, senders = self.related_by_rel_types, self.related_by_senders
        return (types is None or rel_type in types) and (senders is None or sender in senders)


@dataclass(frozen=True, slots=True)
class RoomFilter:
    """Which rooms, and what of them."""

    rooms: frozenset[str] | None = None
    not_rooms: frozenset[str] = frozenset()
    include_leave: bool = False
    state: RoomEventFilter = RoomEventFilter()
    timeline: RoomEventFilter = RoomEventFilter()
    ephemeral: RoomEventFilter = RoomEventFilter()
    account_data: RoomEventFilter = RoomEventFilter()

    def wants_room(self, room_id: str) -> bool:
        """Whether anything of the room is wanted."""
        return room_id not in self.not_rooms and (self.rooms is None or room_id in self.rooms)


@dataclass(frozen=True, slots=True)
class SyncFilter:
    """A whole filter, as `/filter` takes and `/sync` uses it."""

    event_fields: tuple[tuple[str, ...], ...] | None = None
    event_format: str = "client"
    presence: EventFilter = EventFilter()
    account_data: EventFilter = EventFilter()
    room: RoomFilter = RoomFilter()

    def cut(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """The event in client format, reduced to `event_fields`."""
        if self.event_fields is None:
            return dict(event)
        cut: dict[str, Any] = {}
        for path in self.event_fields:
            _copy_property(event, cut, path)
        return cut


def parse_filter(body: object) -> SyncFilter:
    """Read the body of `POST /_matrix/client/v3/user/{userId}/filter`. Raises BadJson; unknown keys are ignored."""
    given = _object(body, "The filter")
    event_format = given.get("event_format", "client")
    if event_format not in ("client", "federation"):
        raise BadJson(f"event_format is {event_format!r}; it must be 'client' or 'federation'.")
    names = _texts(given, "event_fields", "")
    return SyncFilter(
        event_fields=None if names is None else tuple(split_path(name) for name in names),
        event_format=event_format,
        presence=_parse(EventFilter, given.get("presence", {}), "presence"),
        account_data=_parse(EventFilter, given.get("account_data", {}), "account_data"),
        room=_parse_room(given.get("room", {})),
    )


def parse_room_event_filter(body: object) -> RoomEventFilter:
    """Read the `filter` parameter of `/messages`, `/context` and `/search`. Raises BadJson."""
    return _parse(RoomEventFilter, body, "filter")


def _parse_room(body: object) -> RoomFilter:
    given = _object(body, "room")
    parts = {
        part: _parse(RoomEventFilter, given.get(part, {}), f"room.{part}")
        for part in ("state", "timeline", "ephemeral", "account_data")
    }
    return RoomFilter(
        rooms=_ids(given, "rooms", "room.", "!"),
        not_rooms=_ids(given, "not_rooms", "room.", "!") or frozenset(),
        include_leave=_flag(given, "include_leave", "room.") or False,
        **parts,
    )


def _parse(kind: type[T], body: object, name: str) -> T:
    given, where = _object(body, name), f"{name}."
    values: dict[str, Any] = {
        "limit": _limit(given, where),
        "types": _texts(given, "types", where),
        "not_types": _texts(given, "not_types", where),
        "senders": _ids(given, "senders", where, "@"),
        "not_senders": _ids(given, "not_senders", where, "@"),
        "rooms": _ids(given, "rooms", where, "!"),
        "not_rooms": _ids(given, "not_rooms", where, "!"),
        "contains_url": _flag(given, "contains_url", where),
        "lazy_load_members": _flag(given, "lazy_load_members", where),
        "include_redundant_members": _flag(given, "include_redundant_members", where),
        "unread_thread_notifications": _flag(given, "unread_thread_notifications", where),
        "related_by_rel_types": _set(_texts(given, "related_by_rel_types", where)),
        "related_by_senders": _ids(given, "related_by_senders", where, "@"),
        "rel_types": _set(_texts(given, "org.matrix.msc3874.rel_types", where)),
        "not_rel_types": _set(_texts(given, "org.matrix.msc3874.not_rel_types", where)),
    }
    known = {one.name for one in fields(kind)}
    return kind(**{key: value for key, value in values.items() if key in known and value is not None})


def _object(value: object, name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise BadJson(f"{name} must be a JSON object.")
    return value


def _limit(given: Mapping[str, Any], where: str) -> int | None:
    """The limit that was given. 0, which the specification does not allow but clients send, asks for as little as can be."""
    value = given.get("limit")
    if value is None and "limit" not in given:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise BadJson(f"{where}limit is {value!r}; it must be an integer greater than 0.")
    return max(1, value)


def _flag(given: Mapping[str, Any], key: str, where: str) -> bool | None:
    if key not in given:
        return None
    value = given[key]
    if not isinstance(value, bool):
        raise BadJson(f"{where}{key} is {value!r}; it must be true or false.")
    return value


def _texts(given: Mapping[str, Any], key: str, where: str) -> tuple[str, ...] | None:
    if key not in given:
        return None
    value = given[key]
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        raise BadJson(f"{where}{key} must be an array of strings.")
    return tuple(value)


def _ids(given: Mapping[str, Any], key: str, where: str, sigil: str) -> frozenset[str] | None:
    texts = _texts(given, key, where)
    wrong = next((text for text in texts or () if not text.startswith(sigil)), None)
    if wrong is not None:
        raise BadJson(f"{where}{key} has {wrong!r}; its entries must start with {sigil}.")
    return _set(texts)


def _set(texts: tuple[str, ...] | None) -> frozenset[str] | None:
    return None if texts is None else frozenset(texts)


def _any_type(patterns: Iterable[str]) -> re.Pattern[str]:
    return re.compile(
        "|".join(f"(?:{whole_pattern(one, question_mark=False)})" for one in patterns) or r"(?!)", re.DOTALL
    )


def _copy_property(source: Mapping[str, Any], target: dict[str, Any], path: tuple[str, ...]) -> None:
    *parents, last = path
    for parent in parents:
        inner = source.get(parent)
        if not isinstance(inner, dict):
            return
        source = inner
    if last not in source:
        return
    for parent in parents:
        inner = target.setdefault(parent, {})
        target = inner
    target[last] = source[last]
