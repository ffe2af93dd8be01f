"""A server that its administrator has closed for a while, with `hs_disabled`: nobody acts, syncs, signs in or up.

Administrators are let through, so that somebody can put right what was wrong; who wants to sign out may.
Spec: Client-Server API, `M_RESOURCE_LIMIT_EXCEEDED`.
"""

from __future__ import annotations

import re

from core.config.server import ServerConfig
from core.errors import Forbidden
from core.ids import Requester

_WAITING = re.compile(r"/_matrix/client/(?:[a-z0-9.]+|unstable/[^/]+)/(?:sync|events|initialSync)$")
_USUAL = "This server is closed for the time being."


class ClosedServer:
    """Implements core.web.gate.RequestRule; `message` and `contact` are what users are told."""

    def __init__(self, message: str, contact: str) -> None:
        self._message = message
        self._contact = contact

    def check(self, requester: Requester, method: str, path: str) -> None:
        """Refuse what changes something and what waits for news, unless an administrator asks. Raises: `Forbidden`."""
        is_reading = method in ("GET", "HEAD", "OPTIONS") and _WAITING.match(path) is None
        if not requester.is_admin and not is_reading:
            raise self.refusal()

    def refusal(self) -> Forbidden:
        """What everybody is told."""
        return Forbidden(
            self._message,
            errcode="M_RESOURCE_LIMIT_EXCEEDED",
            admin_contact=self._contact,
            limit_type="hs_disabled",
        )


def closed_server(config: ServerConfig) -> ClosedServer | None:
    """The rule, where the configuration closes the server."""
    if not config.hs_disabled:
        return None
    return ClosedServer(config.hs_disabled_message or _USUAL, config.admin_contact or "")
