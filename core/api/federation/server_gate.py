"""What every signed endpoint begins with: who is asking, with what body, and whether it is too much."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Request, g

from core.federation.inbound_limits import InboundLimits
from core.ids import ServerName
from core.web.federation_auth import SignatureCheck, authenticate_server
from core.web.json_body import MAX_BODY_BYTES, read_object


@dataclass(frozen=True, slots=True)
class ServerGate:
    """Authenticates servers, and counts their requests while these are worked on. `server_name` is ours."""

    check: SignatureCheck
    server_name: ServerName
    limits: InboundLimits

    def authenticate(self, request: Request) -> ServerName:
        """Who sent a request without a body. Raises Unauthorized, Forbidden, LimitExceeded."""
        return self._enter(authenticate_server(request, self.check, self.server_name))

    def read(self, request: Request, max_bytes: int = MAX_BODY_BYTES) -> tuple[ServerName, dict[str, Any]]:
        """Who sent the request, and the object in its body. Raises as `authenticate`, TooLarge, NotJson, BadJson."""
        content = read_object(request, max_bytes)
        return self._enter(authenticate_server(request, self.check, self.server_name, content)), content

    def blueprint(self) -> Blueprint:
        """No endpoint: what must be done when a request is over."""
        bp = Blueprint("federation_limits", __name__)
        bp.teardown_app_request(self._leave)
        return bp

    def _enter(self, origin: ServerName) -> ServerName:
        self.limits.enter(origin)
        g.federation_origin = origin
        return origin

    def _leave(self, _error: BaseException | None) -> None:
        origin: ServerName | None = g.pop("federation_origin", None)
        if origin is not None:
            self.limits.leave(origin)
