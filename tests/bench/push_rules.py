"""CPU of deciding about one event by the default push rules, and by a server ACL.

    python -m tests.bench.push_rules

Prints one JSON line, in microseconds per event and user.
"""

from __future__ import annotations

import json
import sys
import timeit

from core.events.power_levels import PowerLevels
from core.events.push_rules import Situation, compile_ruleset, default_ruleset
from core.events.room_versions import V11
from core.events.server_acl import ServerAcl
from tests.unit.events.forked_rooms import make_event

ROUNDS = 50_000


def main() -> int:
    """Measure and print."""
    rules = compile_ruleset(default_ruleset())
    content = {"msgtype": "m.text", "body": "hello there", "m.mentions": {"user_ids": ["@x:example"]}}
    event = make_event(V11, "$e", "m.room.message", "@a:example", None, content)
    levels = PowerLevels({}, frozenset(), V11)
    shared = Situation(event, 30, levels)
    acl = ServerAcl(
        {"allow": ["*"], "deny": [f"evil{n}.example" for n in range(200)] + [f"*.evil{n}.example" for n in range(200)]}
    )

    def per_event(statement: object) -> float:
        assert callable(statement)
        return round(min(timeit.repeat(statement, number=ROUNDS, repeat=3)) / ROUNDS * 1e6, 2)

    figures = {
        "first user": per_event(lambda: rules.evaluate(Situation(event, 30, levels, "@b:example", "b"))),
        "each further user": per_event(lambda: rules.evaluate(shared.for_user("@b:example", "b"))),
        "server acl": per_event(lambda: acl.allows("matrix.example:8448")),
    }
    sys.stdout.write(json.dumps({"push_rules_us": figures}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
