"""Push rules: whether an event notifies a user, and how. Compiled once for each rule set, then asked for each event.

`default_ruleset` and `merged_ruleset` make the JSON that clients see, `compile_ruleset` makes of it something that
decides. Nothing here knows where rules are stored, and nothing sends a notification.

Spec: Client-Server API, "Push Rules".
"""

from core.events.push_rules.conditions import Situation
from core.events.push_rules.defaults import OWN_USER_ID, default_ruleset
from core.events.push_rules.evaluation import NOTHING, CompiledRules, Outcome, compile_ruleset
from core.events.push_rules.ruleset import KINDS, RuleChanges, Ruleset, for_user, merged_ruleset

__all__ = [
    "KINDS",
    "NOTHING",
    "OWN_USER_ID",
    "CompiledRules",
    "Outcome",
    "RuleChanges",
    "Ruleset",
    "Situation",
    "compile_ruleset",
    "default_ruleset",
    "for_user",
    "merged_ruleset",
]
