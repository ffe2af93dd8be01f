"""The body of a sliding sync, read strictly. Proposal: MSC4186, as `unstable/org.matrix.simplified_msc3575` has it.

Nothing of a request is remembered for the next: each says all that it wants.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.errors import BadJson, InvalidParam
from core.ids import RoomId
from core.sync.sliding.required_state import ANY, LAZY, MEMBER, RequiredState

MOST_TIMELINE = 1_000
"""The largest `timeline_limit` that is honored."""
MOST_LISTS = 100
MOST_SUBSCRIPTIONS = 1_000
MOST_REQUIRED = 200
"""So many pairs of `required_state` may be asked for."""
MAX_CONN_ID = 255

Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class RoomConfig:
    """What is wanted of a room: so many events of its timeline, and this state."""

    timeline_limit: int
    required: RequiredState

    def __or__(self, other: RoomConfig) -> RoomConfig:
        return RoomConfig(max(self.timeline_limit, other.timeline_limit), self.required | other.required)


@dataclass(frozen=True, slots=True)
class ListFilters:
    """Which rooms a list is of; None for what does not matter."""

    is_dm: bool | None = None
    is_encrypted: bool | None = None
    is_invite: bool | None = None
    room_types: frozenset[str | None] | None = None
    not_room_types: frozenset[str | None] | None = None
    tags: frozenset[str] | None = None
    not_tags: frozenset[str] | None = None
    spaces: frozenset[str] | None = None
    room_name_like: str | None = None
    """Part of the room's name, folded."""

    @property
    def needs_facts(self) -> bool:
        """Whether the rooms' state matters."""
        wanted = (self.is_encrypted, self.room_types, self.not_room_types, self.room_name_like)
        return any(one is not None for one in wanted)

    @property
    def needs_tags(self) -> bool:
        """Whether the rooms' tags matter."""
        return self.tags is not None or self.not_tags is not None


@dataclass(frozen=True, slots=True)
class ListRequest:
    """A list: the rooms in `ranges` of those that `filters` accept; None for all of them."""

    ranges: tuple[Range, ...] | None
    config: RoomConfig
    filters: ListFilters | None


@dataclass(frozen=True, slots=True)
class Extension:
    """An extension that is on. `lists` and `rooms` are those it is wanted for; None for all."""

    lists: frozenset[str] | None = None
    rooms: frozenset[str] | None = None
    since: str | None = None


@dataclass(frozen=True, slots=True)
class SlidingBody:
    """A whole request but for its query."""

    conn_id: str = ""
    txn_id: str | None = None
    lists: Mapping[str, ListRequest] = field(default_factory=dict)
    subscriptions: Mapping[RoomId, RoomConfig] = field(default_factory=dict)
    extensions: Mapping[str, Extension] = field(default_factory=dict)


def parse_body(body: Mapping[str, Any]) -> SlidingBody:
    """Read a request's body. Raises BadJson and InvalidParam; unknown keys are ignored."""
    lists, subscriptions = _object(body, "lists"), _object(body, "room_subscriptions")
    if len(lists) > MOST_LISTS or len(subscriptions) > MOST_SUBSCRIPTIONS:
        raise InvalidParam(f"At most {MOST_LISTS} lists and {MOST_SUBSCRIPTIONS} room subscriptions are allowed.")
    conn_id = _text(body, "conn_id") or ""
    if len(conn_id) > MAX_CONN_ID:
        raise InvalidParam(f"'conn_id' may have at most {MAX_CONN_ID} characters.")
    extensions = _object(body, "extensions")
    return SlidingBody(
        conn_id,
        _text(body, "txn_id"),
        {name: _list(_object(lists, name, "lists."), f"lists.{name}.") for name in lists},
        {
            RoomId(room): _config(_object(subscriptions, room, "room_subscriptions."), f"room_subscriptions.{room}.")
            for room in subscriptions
        },
        {
            name: _extension(given, f"extensions.{name}.")
            for name in extensions
            if (given := _object(extensions, name, "extensions.")).get("enabled") is True
        },
    )


def _list(given: Mapping[str, Any], at: str) -> ListRequest:
    filters = None if given.get("filters") is None else _filters(_object(given, "filters", at), f"{at}filters.")
    ranges = given.get("ranges")
    if ranges is None and given.get("range") is not None:
        ranges = [given["range"]]
    return ListRequest(None if ranges is None else tuple(_ranges(ranges, at)), _config(given, at), filters)


def _ranges(ranges: object, at: str) -> list[Range]:
    if not isinstance(ranges, list):
        raise BadJson(f"'{at}ranges' must be a list of ranges.")
    found: list[Range] = []
    for one in ranges:
        if not (isinstance(one, list) and len(one) == 2 and all(type(end) is int and end >= 0 for end in one)):
            raise BadJson(f"'{at}ranges' must hold pairs of numbers from 0 on, such as [0, 19].")
        if one[0] > one[1]:
            raise InvalidParam(f"'{at}ranges' has a range that ends before it begins.")
        found.append((one[0], one[1]))
    return found


def _config(given: Mapping[str, Any], at: str) -> RoomConfig:
    limit, required, is_lazy = given.get("timeline_limit", 0), given.get("required_state", []), False
    if isinstance(required, dict):
        required, is_lazy = _included(required, f"{at}required_state.")
    if type(limit) is not int or limit < 0:
        raise BadJson(f"'{at}timeline_limit' must be a number from 0 on.")
    if not isinstance(required, list):
        raise BadJson(f"'{at}required_state' must be a list of pairs of event type and state key.")
    if len(required) > MOST_REQUIRED:
        raise InvalidParam(f"'{at}required_state' may have at most {MOST_REQUIRED} pairs.")
    for pair in required:
        if not (isinstance(pair, list) and len(pair) == 2 and all(isinstance(part, str) for part in pair)):
            raise BadJson(f"'{at}required_state' must hold pairs of event type and state key.")
    pairs = [(pair[0], pair[1]) for pair in required] + ([(MEMBER, LAZY)] if is_lazy else [])
    return RoomConfig(min(limit, MOST_TIMELINE), RequiredState.of(pairs))


def _included(given: Mapping[str, Any], at: str) -> tuple[list[object], bool]:
    """The newer form of required state: (its pairs, as the older form has them; whether members come lazily).

    A type or state key that is not given stands for any.
    """
    entries = given.get("include", [])
    if not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
        raise BadJson(f"'{at}include' must be a list of objects with type and state_key.")
    is_lazy = _flag(given, "lazy_members", at) is True
    return [[one.get("type", ANY), one.get("state_key", ANY)] for one in entries], is_lazy


def _filters(given: Mapping[str, Any], at: str) -> ListFilters:
    return ListFilters(
        _flag(given, "is_dm", at),
        _flag(given, "is_encrypted", at),
        _flag(given, "is_invite", at),
        _texts(given, "room_types", at, True),
        _texts(given, "not_room_types", at, True),
        _texts(given, "tags", at),
        _texts(given, "not_tags", at),
        _texts(given, "spaces", at),
        _folded(_text(given, "room_name_like", at)),
    )


def _folded(text: str | None) -> str | None:
    return None if text is None else text.casefold()


def _extension(given: Mapping[str, Any], at: str) -> Extension:
    lists, rooms = _texts(given, "lists", at), _texts(given, "rooms", at)
    return Extension(
        None if lists is not None and "*" in lists else lists,
        None if rooms is not None and "*" in rooms else rooms,
        _text(given, "since", at),
    )


def _object(given: Mapping[str, Any], key: str, at: str = "") -> dict[str, Any]:
    found = given.get(key)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise BadJson(f"'{at}{key[:100]}' must be an object.")
    return found


def _text(given: Mapping[str, Any], key: str, at: str = "") -> str | None:
    found = given.get(key)
    if found is not None and not isinstance(found, str):
        raise BadJson(f"'{at}{key}' must be a string.")
    return found


def _flag(given: Mapping[str, Any], key: str, at: str) -> bool | None:
    found = given.get(key)
    if found is not None and not isinstance(found, bool):
        raise BadJson(f"'{at}{key}' must be true or false.")
    return found


def _texts(given: Mapping[str, Any], key: str, at: str, may_be_null: bool = False) -> Any:
    """A set of strings, None where the key is missing."""
    found: Sequence[object] | None = given.get(key)
    if found is None:
        return None
    if not isinstance(found, list) or not all(isinstance(one, str) or (one is None and may_be_null) for one in found):
        raise BadJson(f"'{at}{key}' must be a list of strings.")
    return frozenset(found)
