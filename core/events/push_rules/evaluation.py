"""Rule sets compiled, and the one rule that wins.

Rules that name an event type are sorted out by it beforehand, so that an event is tried against those that can match.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.events.push_rules.conditions import BODY, Condition, Situation, compile_condition, compile_match, literal_type
from core.events.push_rules.defaults import Rule
from core.events.push_rules.ruleset import KINDS, Ruleset

_HISTORICAL = ("dont_notify", "coalesce")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the winning rule asks for. `rule_id` is None where none matched.

    `actions` are as the rule has them, without historical ones; the other fields are read from them.
    """

    rule_id: str | None = None
    actions: tuple[Any, ...] = ()
    notify: bool = False
    highlight: bool = False
    sound: str | None = None


NOTHING = Outcome()
"""No rule matched: no notification."""


@dataclass(frozen=True, slots=True)
class _CompiledRule:
    conditions: tuple[Condition, ...]
    outcome: Outcome

    def matches(self, situation: Situation) -> bool:
        for holds in self.conditions:  # noqa: SIM110 - a generator would double the time of the common case
            if not holds(situation):
                return False
        return True


class CompiledRules:
    """A rule set that decides. Make it with `compile_ruleset`; it may be shared and never changes."""

    __slots__ = ("_by_type", "_other_types")

    def __init__(self, rules: Sequence[tuple[str | None, _CompiledRule]]) -> None:
        types = {event_type for event_type, _ in rules if event_type is not None}
        self._other_types = tuple(rule for event_type, rule in rules if event_type is None)
        self._by_type = {one: tuple(rule for only, rule in rules if only is None or only == one) for one in types}

    def evaluate(self, situation: Situation) -> Outcome:
        """The outcome of the first rule that matches; nothing for what the user sent themselves."""
        event = situation.event
        if event.sender == situation.user_id:
            return NOTHING
        for rule in self._by_type.get(event.type.lower(), self._other_types):
            if rule.matches(situation):
                return rule.outcome
        return NOTHING


def compile_ruleset(ruleset: Ruleset) -> CompiledRules:
    """Compile the rules of all kinds, in the order they are tried. Disabled rules and such that cannot match vanish."""
    compiled: list[tuple[str | None, _CompiledRule]] = []
    for kind in KINDS:
        for rule in ruleset.get(kind, ()):
            conditions = _conditions(kind, rule) if rule.get("enabled") is not False else None
            if conditions is not None:
                compiled.append((_type_of(rule), _CompiledRule(conditions, _outcome(rule))))
    return CompiledRules(compiled)


def _type_of(rule: Rule) -> str | None:
    conditions = rule.get("conditions")
    found = (literal_type(one) for one in conditions) if isinstance(conditions, list) else iter(())
    return next((one for one in found if one is not None), None)


def _conditions(kind: str, rule: Rule) -> tuple[Condition, ...] | None:
    """What must hold for the rule to match; None if it never can."""
    if kind == "content":
        pattern = rule.get("pattern")
        compiled = [compile_match(BODY, pattern) if isinstance(pattern, str) else None]
    elif kind in ("room", "sender"):
        compiled = [_about(kind, rule.get("rule_id"))]
    else:
        conditions = rule.get("conditions", [])
        compiled = [compile_condition(one) for one in conditions] if isinstance(conditions, list) else [None]
    possible = tuple(one for one in compiled if one is not None)
    return possible if len(possible) == len(compiled) else None


def _about(kind: str, rule_id: object) -> Condition:
    if kind == "room":
        return lambda situation: situation.event.room_id == rule_id
    return lambda situation: situation.event.sender == rule_id


def _outcome(rule: Rule) -> Outcome:
    given = rule.get("actions")
    actions = tuple(action for action in given if action not in _HISTORICAL) if isinstance(given, list) else ()
    tweaks: Mapping[str, Any] = {
        action["set_tweak"]: action.get("value", True)
        for action in actions
        if isinstance(action, dict) and isinstance(action.get("set_tweak"), str)
    }
    sound = tweaks.get("sound")
    return Outcome(
        rule_id=rule.get("rule_id"),
        actions=actions,
        notify="notify" in actions,
        highlight=tweaks.get("highlight", False) is not False,
        sound=sound if isinstance(sound, str) else None,
    )
