"""What a search asks for, read from the request. Spec: Client-Server API, "Server Side Search"."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from core.hooks import BadJson, InvalidParam
from plugins.message_search.tables import FIELDS

DEFAULT_RESULTS = 10
MOST_RESULTS = 100
DEFAULT_CONTEXT = 5
MOST_CONTEXT = 50
MOST_CHARACTERS = 1_000
GROUPS = ("room_id", "sender")
ORDERS = ("rank", "recent")


@dataclass(frozen=True, slots=True)
class Context:
    """How much around each result is wanted."""

    before: int
    after: int
    with_profiles: bool


@dataclass(frozen=True, slots=True)
class Criteria:
    """One search. `filter` is a RoomEventFilter, checked as far as it is used."""

    term: str
    fields: tuple[int, ...]
    filter: Mapping[str, Any]
    is_recent_first: bool
    context: Context | None
    with_state: bool
    groups: tuple[str, ...]
    limit: int

    def lets_through(self, event: Mapping[str, Any]) -> bool:
        """Whether the filter lets an event through; rooms and wanted senders are asked of the index."""
        types, wanted = str(event["type"]), self.filter
        if "types" in wanted and not any(fnmatchcase(types, pattern) for pattern in wanted["types"]):
            return False
        if any(fnmatchcase(types, pattern) for pattern in wanted.get("not_types", ())):
            return False
        if event["sender"] in wanted.get("not_senders", ()):
            return False
        has_url = isinstance(event["content"].get("url"), str)
        return wanted.get("contains_url") in (None, has_url)


@dataclass(frozen=True, slots=True)
class Batch:
    """Where a page begins: after `offset` results by rank, or below the number `below`; in one group or in all."""

    top: int
    below: int
    offset: int
    group: tuple[str, str] | None = None

    def __str__(self) -> str:
        packed = json.dumps([self.top, self.below, self.offset, self.group]).encode()
        return base64.urlsafe_b64encode(packed).decode().rstrip("=")

    @classmethod
    def parse(cls, text: str) -> Batch:
        """Read a token. Raises InvalidParam."""
        wrong = InvalidParam("'next_batch' must be one of an earlier answer to this search.")
        try:
            found = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        except (binascii.Error, ValueError, RecursionError) as error:
            raise wrong from error
        if not isinstance(found, list) or len(found) != 4 or not all(type(n) is int for n in found[:3]):
            raise wrong
        if any(not -(2**63) < n < 2**63 for n in found[:3]) or found[2] < 0:
            raise wrong
        top, below, offset, group = found
        if group is None:
            return cls(top, below, offset)
        if not isinstance(group, list) or len(group) != 2 or group[0] not in GROUPS or not isinstance(group[1], str):
            raise wrong
        return cls(top, below, offset, (group[0], group[1]))


def read_criteria(body: Any) -> Criteria | None:
    """The search of a request's body; None where it asks for no category. Raises BadJson, InvalidParam."""
    categories = _object(body, "search_categories", is_required=True)
    if "room_events" not in categories:
        return None
    asked = _object(categories, "room_events")
    term = asked.get("search_term")
    if not isinstance(term, str):
        raise BadJson("'search_term' is required and must be a string.")
    keys = asked.get("keys", list(FIELDS))
    if not isinstance(keys, list) or not all(isinstance(key, str) and key in FIELDS for key in keys):
        raise InvalidParam(f"'keys' must be a list of some of {', '.join(FIELDS)}.")
    order = asked.get("order_by", "rank")
    if order not in ORDERS:
        raise InvalidParam(f"'order_by' must be one of {', '.join(ORDERS)}.")
    wanted = _read_filter(_object(asked, "filter"))
    return Criteria(
        term[:MOST_CHARACTERS],
        tuple(sorted({FIELDS.index(key) for key in keys})),
        wanted,
        order == "recent",
        _read_context(_object(asked, "event_context")) if asked.get("event_context") is not None else None,
        _flag(asked, "include_state"),
        _read_groups(_object(asked, "groupings")),
        max(1, min(_number(wanted, "limit", DEFAULT_RESULTS), MOST_RESULTS)),
    )


def _read_filter(wanted: Mapping[str, Any]) -> Mapping[str, Any]:
    for key in ("rooms", "not_rooms", "senders", "not_senders", "types", "not_types"):
        value = wanted.get(key, [])
        if not isinstance(value, list) or len(value) > 1_000 or not all(isinstance(one, str) for one in value):
            raise InvalidParam(f"'filter.{key}' must be a list of at most 1000 strings.")
    if not isinstance(wanted.get("contains_url"), bool | None):
        raise InvalidParam("'filter.contains_url' must be true or false.")
    return wanted


def _read_context(asked: Mapping[str, Any]) -> Context:
    before, after = (_number(asked, key, DEFAULT_CONTEXT) for key in ("before_limit", "after_limit"))
    return Context(min(before, MOST_CONTEXT), min(after, MOST_CONTEXT), _flag(asked, "include_profile"))


def _read_groups(asked: Mapping[str, Any]) -> tuple[str, ...]:
    listed = asked.get("group_by", [])
    keys = [one.get("key") if isinstance(one, dict) else None for one in listed] if isinstance(listed, list) else [None]
    if not all(isinstance(key, str) and key in GROUPS for key in keys):
        raise InvalidParam(f"'group_by' must be a list of objects whose 'key' is one of {', '.join(GROUPS)}.")
    return tuple(dict.fromkeys(str(key) for key in keys))


def _object(body: Any, key: str, is_required: bool = False) -> Mapping[str, Any]:
    value = body.get(key) if isinstance(body, dict) else None
    if value is None and not is_required:
        return {}
    if not isinstance(value, dict):
        raise BadJson(f"'{key}' must be an object.")
    return value


def _number(body: Mapping[str, Any], key: str, default: int) -> int:
    value = body.get(key, default)
    if type(value) is not int or value < 0:
        raise InvalidParam(f"'{key}' must be an integer of at least 0.")
    return value


def _flag(body: Mapping[str, Any], key: str) -> bool:
    value = body.get(key, False)
    if not isinstance(value, bool):
        raise InvalidParam(f"'{key}' must be true or false.")
    return value
