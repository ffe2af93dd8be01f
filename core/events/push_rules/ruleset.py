"""A user's rules as clients see them: their own, the defaults, and what they changed about the defaults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.events.push_rules.defaults import OWN_USER_ID, Rule, default_ruleset

KINDS = ("override", "content", "room", "sender", "underride")
"""The kinds of rules, in the order they are tried."""

Ruleset = Mapping[str, Sequence[Rule]]
"""Rules by kind, each kind in order of priority: the object `global` of `/pushrules/`."""

_MASTER = ".m.rule.master"


@dataclass(frozen=True, slots=True)
class RuleChanges:
    """What a user made of their rules.

    `own` are the rules they added, by kind and in order of priority. `enabled` and `actions` are what they set for
    default rules, by rule id; default rule ids are unique over all kinds.
    """

    own: Ruleset = field(default_factory=dict)
    enabled: Mapping[str, bool] = field(default_factory=dict)
    actions: Mapping[str, Sequence[Any]] = field(default_factory=dict)


def merged_ruleset(changes: RuleChanges, user_id: str = OWN_USER_ID) -> dict[str, list[Rule]]:
    """The rules in force, in order: the master rule, the user's own, then the other defaults, kind by kind."""
    merged: dict[str, list[Rule]] = {}
    for kind, defaults in for_user(default_ruleset(), user_id).items():
        for rule in defaults:
            rule["enabled"] = changes.enabled.get(rule["rule_id"], rule["enabled"])
            rule["actions"] = list(changes.actions.get(rule["rule_id"], rule["actions"]))
        first = [rule for rule in defaults if rule["rule_id"] == _MASTER]
        rest = [rule for rule in defaults if rule["rule_id"] != _MASTER]
        merged[kind] = [*first, *(dict(rule) for rule in changes.own.get(kind, ())), *rest]
    return merged


def for_user(ruleset: Ruleset, user_id: str) -> dict[str, list[Rule]]:
    """`ruleset` with `OWN_USER_ID` replaced by the user's id, as a copy."""
    return {kind: [_rule_for(rule, user_id) for rule in rules] for kind, rules in ruleset.items()}


def _rule_for(rule: Rule, user_id: str) -> Rule:
    if "conditions" not in rule:
        return dict(rule)
    conditions = [
        {key: user_id if value == OWN_USER_ID else value for key, value in condition.items()}
        for condition in rule["conditions"]
    ]
    return {**rule, "conditions": conditions}
