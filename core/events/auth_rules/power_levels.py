"""Changing power levels: nobody gives, takes or moves what is above their own level.

Rule 10 in room versions 1 to 5 and 12, rule 9 in 6 to 11. Parts are counted here as in room version 1; from 10 two more
come first, since values must be integers, and from 12 a third, since creators may not be listed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.errors import AuthRuleViolation
from core.events.auth_rules.numbering import Rule, broken
from core.events.event import Event
from core.events.power_levels import creators_of, power_level
from core.ids import is_user_id

LEVELS = ("users_default", "events_default", "state_default", "ban", "redact", "kick", "invite")


def check_power_levels(event: Event, current: Event | None, create: Event, own: int) -> None:
    """Check a power levels event against the `current` one; `own` is the sender's level. Raises AuthRuleViolation."""
    version = event.version
    if version.integer_power_levels:
        _check_integers(event)
    _check_users(event)
    if version.privileged_creators:
        _check_creators(event, create)
    if current is None:  # 2
        return
    before, after = current.content, event.content
    for change in _changes(event, _named_levels(before), _named_levels(after)):
        _check_old(event, "3.1", change, own)
        _check_new(event, "3.2", change, own)
    groups = ("events", "notifications") if version.limits_notification_levels else ("events",)
    changes = [c for group in groups for c in _changes(event, _entries(before, group), _entries(after, group))]
    for change in changes:
        _check_old(event, "4.1", change, own)
    for change in changes:
        _check_new(event, "5.1", change, own)
    changes = _changes(event, _entries(before, "users"), _entries(after, "users"))
    for change in changes:
        if change.name != event.sender:
            _check_old(event, "6.1", change, own - 1)
    for change in changes:
        _check_new(event, "7.1", change, own)


def _check_integers(event: Event) -> None:
    """1 and 2 from room version 10."""
    content = event.content
    for name in LEVELS:
        if name in content and type(content[name]) is not int:
            raise _broken(event, "-1", f"`{name}` must be an integer.")
    for group in ("events", "notifications"):
        if group in content and not _holds_levels(content[group], event):
            raise _broken(event, "0", f"`{group}` must be an object of integers.")


def _check_users(event: Event) -> None:
    """1: `users`, where there is one, gives user ids levels."""
    users = event.content.get("users", {})
    if not _holds_levels(users, event):
        raise _broken(event, "1", "`users` must be an object whose values are levels.")
    for user in users:
        if not is_user_id(user):
            raise _broken(event, "1", f"`users` must list user ids, not {user[:100]!r}.")


def _check_creators(event: Event, create: Event) -> None:
    """4 of room version 12."""
    listed = creators_of(create).intersection(event.content.get("users", ()))
    if listed:
        raise broken(event.version, Rule.POWER_LEVELS, "4", f"{min(listed)} is a creator, whose level cannot be set.")


def _holds_levels(value: Any, event: Event) -> bool:
    return isinstance(value, dict) and all(power_level(level, event.version) is not None for level in value.values())


def _named_levels(content: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: content[name] for name in LEVELS if name in content}


def _entries(content: Mapping[str, Any], group: str) -> Mapping[str, Any]:
    entries = content.get(group)
    return entries if isinstance(entries, dict) else {}


@dataclass(frozen=True, slots=True)
class _Change:
    """One entry added, changed or removed; a level is None where there is no value, or none that is a level."""

    name: str
    old: int | None
    new: int | None
    is_junk: bool
    """The new value is there and is no level."""


def _changes(event: Event, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[_Change]:
    """What differs between the two as levels: `"50"` and 50 are the same."""
    changes = []
    for name in sorted(before.keys() | after.keys()):
        old = power_level(before[name], event.version) if name in before else None
        new = power_level(after[name], event.version) if name in after else None
        if old != new or (name in after) != (name in before):
            changes.append(_Change(name, old, new, name in after and new is None))
    return changes


def _check_old(event: Event, part: str, change: _Change, most: int) -> None:
    """The current level, if any, must be at most `most`."""
    if change.old is not None and change.old > most:
        raise _broken(event, part, f"The level for {change.name[:100]} is {change.old}, out of the sender's reach.")


def _check_new(event: Event, part: str, change: _Change, most: int) -> None:
    """The new value, if any, must be a level of at most `most`."""
    if change.is_junk:
        raise _broken(event, part, f"The new level for {change.name[:100]} is no number.")
    if change.new is not None and change.new > most:
        raise _broken(event, part, f"The new level for {change.name[:100]} is {change.new}, above the sender's {most}.")


def _broken(event: Event, part: str, sentence: str) -> AuthRuleViolation:
    """The violation of `part`, counted as in room version 1; "-1" and "0" are what 10 put before it."""
    first, dot, rest = part.partition(".")
    number = int(first)
    if event.version.integer_power_levels:
        number += 2
    if event.version.privileged_creators and number > 3:
        number += 1
    return broken(event.version, Rule.POWER_LEVELS, f"{number}{dot}{rest}", sentence)
