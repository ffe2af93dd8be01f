"""What a user may do to their rules, as functions from one set of changes to the next. No storage, no clock.

Default rules can be switched and given other actions; everything else is done to rules of the user's own.
Spec: Client-Server API, "Push Rules: API".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from core.errors import BadRequest, InvalidParam, NotFound
from core.events.push_rules import KINDS, RuleChanges, default_ruleset

MAX_RULES = 2_000
"""Rules of their own that one user may have."""

NO_CHANGES = RuleChanges()

Rule = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Beside:
    """Where a rule is to stand among the user's own of its kind: right above or right below another."""

    rule_id: str
    is_above: bool


def load_changes(stored: bytes | None) -> RuleChanges:
    """Changes as they were stored; none for None."""
    if stored is None:
        return NO_CHANGES
    found = orjson.loads(stored)
    return RuleChanges(found["own"], found["enabled"], found["actions"])


def dump_changes(changes: RuleChanges) -> bytes | None:
    """Changes as they are stored, equal for equal changes; None where there are none."""
    own = {kind: list(rules) for kind, rules in changes.own.items() if rules}
    if not own and not changes.enabled and not changes.actions:
        return None
    value = {"own": own, "enabled": dict(changes.enabled), "actions": dict(changes.actions)}
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def put_rule(changes: RuleChanges, kind: str, rule: Rule, beside: Beside | None) -> RuleChanges:
    """Add a rule of the user's own, above the others unless `beside` says where, or replace the one with its id.

    A rule that is replaced stays switched as it was, and where it was unless `beside` says otherwise.
    Raises: BadRequest (M_UNKNOWN) for a rule to stand beside that there is not, InvalidParam for too many rules.
    """
    rules = list(changes.own.get(kind, ()))
    place = next((index for index, one in enumerate(rules) if one["rule_id"] == rule["rule_id"]), None)
    if place is None:
        if sum(map(len, changes.own.values())) >= MAX_RULES:
            raise InvalidParam(f"There may be at most {MAX_RULES} push rules of your own.")
    else:
        rule = {**rule, "enabled": rules.pop(place)["enabled"]}
    rules.insert(place or 0 if beside is None else _place_beside(rules, beside, kind), rule)
    return replace(changes, own={**changes.own, kind: rules})


def delete_rule(changes: RuleChanges, kind: str, rule_id: str) -> RuleChanges:
    """Take a rule of the user's own away. Raises: NotFound, also for default rules."""
    rules = changes.own.get(kind, ())
    if not any(rule["rule_id"] == rule_id for rule in rules):
        why = "default rules can be disabled, not deleted" if rule_id.startswith(".") else "nothing was deleted"
        raise NotFound(f"You have no {kind} rule {rule_id!r} of your own; {why}.")
    return replace(changes, own={**changes.own, kind: [rule for rule in rules if rule["rule_id"] != rule_id]})


def set_enabled(changes: RuleChanges, kind: str, rule_id: str, enabled: bool) -> RuleChanges:
    """Switch a rule on or off. Raises: NotFound."""
    default = _default(kind, rule_id)
    if default is None:
        return _change_own(changes, kind, rule_id, {"enabled": enabled})
    others = {key: value for key, value in changes.enabled.items() if key != rule_id}
    return replace(changes, enabled=others if default["enabled"] is enabled else {**others, rule_id: enabled})


def set_actions(changes: RuleChanges, kind: str, rule_id: str, actions: Sequence[Any]) -> RuleChanges:
    """Give a rule other actions. Raises: NotFound."""
    default = _default(kind, rule_id)
    if default is None:
        return _change_own(changes, kind, rule_id, {"actions": list(actions)})
    others = {key: value for key, value in changes.actions.items() if key != rule_id}
    return replace(changes, actions=others if default["actions"] == actions else {**others, rule_id: list(actions)})


def carry_to_room(changes: RuleChanges, old: str, new: str) -> RuleChanges:
    """Copy the rules about a room for the room that replaces it. Spec: "Room Upgrades" leaves it to the server."""
    own: dict[str, list[Rule]] = {kind: list(rules) for kind, rules in changes.own.items()}
    for kind, rules in own.items():
        known = {rule["rule_id"] for rule in rules}
        copies = [copied for rule in rules if (copied := _for_room(rule, kind, old, new)) is not None]
        rules[:0] = [rule for rule in copies if rule["rule_id"] not in known]
    return replace(changes, own=own)


def _for_room(rule: Rule, kind: str, old: str, new: str) -> Rule | None:
    if kind == "room":
        return {**rule, "rule_id": new} if rule["rule_id"] == old else None
    about = {"kind": "event_match", "key": "room_id", "pattern": old}
    conditions = rule.get("conditions", [])
    if about not in conditions:
        return None
    moved = [{**about, "pattern": new} if one == about else one for one in conditions]
    rule_id = rule["rule_id"].replace(old, new) if old in rule["rule_id"] else f"{rule['rule_id']}_{new}"
    return {**rule, "rule_id": rule_id, "conditions": moved}


def _place_beside(rules: Sequence[Mapping[str, Any]], beside: Beside, kind: str) -> int:
    for index, rule in enumerate(rules):
        if rule["rule_id"] == beside.rule_id:
            return index if beside.is_above else index + 1
    word = "before" if beside.is_above else "after"
    raise BadRequest(f"'{word}' names {beside.rule_id!r}, but it must name another {kind} rule of your own.")


def _change_own(changes: RuleChanges, kind: str, rule_id: str, changed: Mapping[str, Any]) -> RuleChanges:
    rules = changes.own.get(kind, ())
    if not any(rule["rule_id"] == rule_id for rule in rules):
        raise NotFound(f"There is no {kind} rule {rule_id!r}.")
    altered = [{**rule, **changed} if rule["rule_id"] == rule_id else rule for rule in rules]
    return replace(changes, own={**changes.own, kind: altered})


def _default(kind: str, rule_id: str) -> Rule | None:
    assert kind in KINDS
    return next((rule for rule in default_ruleset()[kind] if rule["rule_id"] == rule_id), None)
