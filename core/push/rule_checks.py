"""What a rule that a client sends must look like. Kinds of conditions that are not known are kept: clients may be newer.

Spec: Client-Server API, "Push Rules: API", "Conditions", "Actions".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.errors import InvalidParam, MissingParam
from core.events.push_rules import KINDS
from core.events.push_rules.conditions import MAX_PATTERN

MAX_RULE_ID_BYTES = 1_024
MAX_CONDITIONS = 50
MAX_ACTIONS = 50
PLAIN_ACTIONS = ("notify", "dont_notify", "coalesce")
"""The actions that are strings; the last two are historical and do nothing."""

_NEEDED: Mapping[str, tuple[str, ...]] = {
    "event_match": ("key", "pattern"),
    "event_property_is": ("key",),
    "event_property_contains": ("key",),
    "room_member_count": ("is",),
    "sender_notification_permission": ("key",),
}


def check_kind(kind: str) -> str:
    """`kind`, if it is one. Raises: InvalidParam."""
    if kind not in KINDS:
        raise InvalidParam(f"{kind!r} is no kind of push rule; there are {', '.join(KINDS)}.")
    return kind


def check_own_rule_id(rule_id: str) -> None:
    """Raise InvalidParam where a user's own rule may not be called so."""
    if rule_id.startswith("."):
        raise InvalidParam("A rule id must not begin with a dot: those are the default rules.")
    if "/" in rule_id or "\\" in rule_id:
        raise InvalidParam("A rule id must not contain slashes or backslashes.")
    if not rule_id or len(rule_id.encode("utf-8", "surrogatepass")) > MAX_RULE_ID_BYTES:
        raise InvalidParam(f"A rule id must have 1 to {MAX_RULE_ID_BYTES} bytes.")


def rule_from(kind: str, rule_id: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """The rule that the body of a PUT describes, switched on. Raises: InvalidParam, MissingParam."""
    check_own_rule_id(rule_id)
    if "actions" not in body:
        raise MissingParam("'actions' is required.")
    rule: dict[str, Any] = {
        "rule_id": rule_id,
        "default": False,
        "enabled": True,
        "actions": check_actions(body["actions"]),
    }
    if kind == "content":
        if "pattern" not in body:
            raise MissingParam("'pattern' is required for a content rule.")
        rule["pattern"] = _pattern(body["pattern"], "pattern")
    elif kind in ("override", "underride"):
        if "conditions" not in body:
            raise MissingParam(f"'conditions' is required for an {kind} rule; an empty list always holds.")
        rule["conditions"] = _conditions(body["conditions"])
    return rule


def check_actions(actions: Any) -> list[Any]:
    """`actions`, if they are a list of actions. Raises: InvalidParam."""
    if not isinstance(actions, list) or len(actions) > MAX_ACTIONS:
        raise InvalidParam(f"'actions' must be a list of at most {MAX_ACTIONS} actions.")
    for action in actions:
        is_tweak = isinstance(action, dict) and isinstance(action.get("set_tweak"), str)
        if not is_tweak and not (isinstance(action, str) and action in PLAIN_ACTIONS):
            raise InvalidParam("An action must be 'notify' or an object with 'set_tweak', a string.")
    return actions


def _conditions(conditions: Any) -> list[Any]:
    if not isinstance(conditions, list) or len(conditions) > MAX_CONDITIONS:
        raise InvalidParam(f"'conditions' must be a list of at most {MAX_CONDITIONS} objects.")
    for condition in conditions:
        if not isinstance(condition, dict) or not isinstance(condition.get("kind"), str):
            raise InvalidParam("Each of the 'conditions' must be an object with 'kind', a string.")
        for key in _NEEDED.get(condition["kind"], ()):
            if not isinstance(condition.get(key), str):
                raise InvalidParam(f"A condition of the kind {condition['kind']} needs '{key}', a string.")
        if condition["kind"] == "event_match":
            _pattern(condition["pattern"], "conditions.pattern")
        if condition["kind"] in ("event_property_is", "event_property_contains"):
            _plain(condition)
    return conditions


def _pattern(pattern: Any, name: str) -> str:
    if not isinstance(pattern, str) or len(pattern) > MAX_PATTERN:
        raise InvalidParam(f"'{name}' must be a string of at most {MAX_PATTERN} characters.")
    if "\0" in pattern:
        raise InvalidParam(f"'{name}' must not contain the character U+0000.")
    return pattern


def _plain(condition: Mapping[str, Any]) -> None:
    value = condition.get("value", ())
    is_plain = value is None or isinstance(value, bool | str) or (isinstance(value, int) and abs(value) < 2**53)
    if not is_plain or (isinstance(value, str) and "\0" in value):
        raise InvalidParam(
            f"A condition of the kind {condition['kind']} needs 'value': a string, an integer, true, false or null."
        )
