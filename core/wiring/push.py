"""Push: the rules, and their endpoints."""

from __future__ import annotations

from core.push.rules import PushRules
from core.storage.push_rules import PushRuleStore
from core.wiring.ground import Ground


def build_push_rules(ground: Ground) -> PushRules:
    """Build the rules, which accounts show as account data, over an open database."""
    storage = ground.storage
    rules = PushRules(PushRuleStore(storage.database), storage.writer, storage.interner)
    storage.tail.follow(rules.follow)
    return rules
