"""Authorization rules: may this event exist in this room?

`check_auth_events` judges the event's own list of auth events, `authorize` everything that looks at a state of the
room. A rule that is broken raises AuthRuleViolation with the number the rule has in the room version's own list.

Spec: the room versions' "Authorisation rules"; Server-Server API, "Authorisation rules".
"""

from core.events.auth_rules.authorize import authorize
from core.events.auth_rules.listed import check_auth_events
from core.events.auth_rules.selection import auth_event_keys

__all__ = ["auth_event_keys", "authorize", "check_auth_events"]
