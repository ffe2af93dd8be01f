"""State resolution: which state holds where the room's graph has forked.

`resolve` merges states by the algorithm of the room's version; `resolve_conflict` does the same for a caller that
already knows where the states differ. Both work over whatever the caller uses for event ids, read only what they need
through the `Lookup` handed in, and tell a `Trace` what they decided. Whether an event is allowed, the auth rules say.

Spec: Room Versions, "State resolution".
"""

from core.events.auth_chain import AuthLevels, no_checkpoint
from core.events.state_resolution.conflicts import Conflict, find_conflict
from core.events.state_resolution.lookup import AuthDifferenceLookup, Lookup
from core.events.state_resolution.resolve import resolve, resolve_conflict
from core.events.state_resolution.trace import Trace

__all__ = [
    "AuthDifferenceLookup",
    "AuthLevels",
    "Conflict",
    "Lookup",
    "Trace",
    "find_conflict",
    "no_checkpoint",
    "resolve",
    "resolve_conflict",
]
