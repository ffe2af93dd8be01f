"""What a suspended user may not do: act in rooms, or change what others see of them.

Reading, leaving, signing out, keys and backups, ending the account stay allowed. Redaction is judged where the event is
known: one's own events may go. Spec: Client-Server API, "Account suspension".
"""

from __future__ import annotations

import re

_FORBIDDEN = re.compile(
    r"/_matrix/(?:"
    r"client/[a-z0-9.]+/(?:createRoom|join/|knock/|profile/|directory/|user/[^/]+/openid/"
    r"|rooms/[^/]+/(?:join|invite|kick|ban|unban|send|state|upgrade|typing)(?:/|$))"
    r"|(?:client/v1/media|media/[a-z0-9]+)/(?:upload|create))"
)


def is_forbidden_while_suspended(method: str, path: str) -> bool:
    """Whether this request is refused with `M_USER_SUSPENDED`."""
    return method not in ("GET", "HEAD", "OPTIONS") and _FORBIDDEN.match(path) is not None
