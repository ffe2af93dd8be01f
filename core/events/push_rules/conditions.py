"""The conditions of push rules, each compiled to a function of the situation.

A condition that is unknown or malformed compiles to None: it never holds, and its rule never matches.
Spec: Client-Server API, "Conditions".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from operator import eq, ge, gt, le, lt
from typing import Any

from core.events.event import Event
from core.events.globs import is_glob, whole_pattern, word_pattern
from core.events.power_levels import PowerLevels
from core.events.property_path import split_path
from core.events.push_rules.defaults import OWN_USER_ID

MAX_PATTERN = 512
"""Longest pattern that is tried, in characters: time grows with pattern times text."""

Path = tuple[str, ...]
BODY: Path = ("content", "body")

_ABSENT: Any = object()
_IDS: tuple[Path, ...] = (("room_id",), ("event_id",))
"""What a PDU need not carry."""
_WORD = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")
_COUNT = re.compile(r"(==|<=|>=|<|>)?([0-9]{1,18})", re.ASCII)
_COMPARE: Mapping[str, Callable[[int, int], bool]] = {"": eq, "==": eq, "<": lt, ">": gt, "<=": le, ">=": ge}
_MAX_INTEGER = 2**53 - 1


class Situation:
    """An event, the room it was sent in, and the user it may notify.

    One can be used for many users in turn by `for_user`, which keeps what was read of the event.
    `member_count` counts the joined members; `power_levels` are those of the room at the event.
    """

    __slots__ = ("_lowered", "display_name", "event", "member_count", "power_levels", "user_id")

    def __init__(
        self,
        event: Event,
        member_count: int,
        power_levels: PowerLevels | None,
        user_id: str = "",
        display_name: str | None = None,
    ) -> None:
        self.event = event
        self.member_count = member_count
        self.power_levels = power_levels
        self.user_id = user_id
        self.display_name = display_name
        self._lowered: dict[Path, str | None] = {}

    def for_user(self, user_id: str, display_name: str | None) -> Situation:
        """The same event for another user, in place."""
        self.user_id, self.display_name = user_id, display_name
        return self

    def value(self, path: Path) -> Any:
        """The property of the event at `path`; a private marker, equal to no JSON value, where it is absent."""
        if path in _IDS:
            return self.event.room_id if path == ("room_id",) else self.event.event_id
        value: Any = self.event.pdu
        for name in path:
            if not isinstance(value, dict) or name not in value:
                return _ABSENT
            value = value[name]
        return value

    def lowered(self, path: Path) -> str | None:
        """The string at `path` in lower case; None where there is no string."""
        if path in self._lowered:
            return self._lowered[path]
        value = self.value(path)
        lowered = self._lowered[path] = value.lower() if isinstance(value, str) else None
        return lowered


Condition = Callable[[Situation], bool]


def compile_condition(condition: object) -> Condition | None:
    """The function that tells whether `condition` holds; None for one that never does."""
    if not isinstance(condition, dict):
        return None
    compiler = _COMPILERS.get(condition["kind"]) if isinstance(condition.get("kind"), str) else None
    return None if compiler is None else compiler(condition)


def compile_match(path: Path, pattern: str) -> Condition | None:
    """`event_match` of the property at `path`; also what the pattern of a content rule means."""
    if len(pattern) > MAX_PATTERN:
        return None
    if pattern == OWN_USER_ID:
        return lambda situation: situation.lowered(path) == situation.user_id.lower()
    lowered = pattern.lower()
    if path != BODY and not is_glob(lowered):
        return lambda situation: situation.lowered(path) == lowered
    match = re.compile(word_pattern(lowered) if path == BODY else whole_pattern(lowered), re.DOTALL).match

    def matches(situation: Situation) -> bool:
        text = situation.lowered(path)
        return text is not None and match(text) is not None

    return matches


def literal_type(condition: object) -> str | None:
    """The one event type, in lower case, with which `condition` can hold; None if it is about anything else."""
    if isinstance(condition, dict) and condition.get("kind") == "event_match" and condition.get("key") == "type":
        pattern = condition.get("pattern")
        return pattern.lower() if isinstance(pattern, str) and not is_glob(pattern) else None
    return None


def _event_match(condition: Mapping[str, Any]) -> Condition | None:
    key, pattern = condition.get("key"), condition.get("pattern")
    if not isinstance(key, str) or not isinstance(pattern, str):
        return None
    return compile_match(split_path(key), pattern)


def _event_property_is(condition: Mapping[str, Any]) -> Condition | None:
    key, value = condition.get("key"), condition.get("value", _ABSENT)
    if not isinstance(key, str) or not _is_plain(value):
        return None
    path, kind = split_path(key), type(value)

    def holds(situation: Situation) -> bool:
        found = situation.value(path)
        return type(found) is kind and found == (situation.user_id if value == OWN_USER_ID else value)

    return holds


def _event_property_contains(condition: Mapping[str, Any]) -> Condition | None:
    key, value = condition.get("key"), condition.get("value", _ABSENT)
    if not isinstance(key, str) or not _is_plain(value):
        return None
    path, kind = split_path(key), type(value)

    def holds(situation: Situation) -> bool:
        found = situation.value(path)
        if not isinstance(found, list):
            return False
        wanted = situation.user_id if value == OWN_USER_ID else value
        return any(type(entry) is kind and entry == wanted for entry in found)

    return holds


def _contains_display_name(condition: Mapping[str, Any]) -> Condition | None:
    def holds(situation: Situation) -> bool:
        body = situation.lowered(BODY)
        return bool(body and situation.display_name) and _has_word(body or "", (situation.display_name or "").lower())

    return holds


def _has_word(text: str, word: str) -> bool:
    """Whether `word` is in `text` with a word boundary on both sides."""
    start = text.find(word)
    while start >= 0:
        end = start + len(word)
        if (start == 0 or text[start - 1] not in _WORD) and (end == len(text) or text[end] not in _WORD):
            return True
        start = text.find(word, start + 1)
    return False


def _room_member_count(condition: Mapping[str, Any]) -> Condition | None:
    given = condition.get("is")
    parsed = _COUNT.fullmatch(given) if isinstance(given, str) else None
    if parsed is None:
        return None
    compare, count = _COMPARE[parsed[1] or ""], int(parsed[2])
    return lambda situation: compare(situation.member_count, count)


def _sender_notification_permission(condition: Mapping[str, Any]) -> Condition | None:
    key = condition.get("key")
    if not isinstance(key, str):
        return None

    def holds(situation: Situation) -> bool:
        levels = situation.power_levels
        return levels is not None and levels.of_user(situation.event.sender) >= levels.to_notify(key)

    return holds


def _is_plain(value: Any) -> bool:
    """Whether `value` is a JSON value without parts, in the range of canonical JSON."""
    if type(value) is int:
        return abs(value) <= _MAX_INTEGER
    return value is None or isinstance(value, str | bool)


_COMPILERS: Mapping[str, Callable[[Mapping[str, Any]], Condition | None]] = {
    "event_match": _event_match,
    "event_property_is": _event_property_is,
    "event_property_contains": _event_property_contains,
    "contains_display_name": _contains_display_name,
    "room_member_count": _room_member_count,
    "sender_notification_permission": _sender_notification_permission,
}
