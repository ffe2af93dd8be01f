"""What every signed endpoint begins with: who is asking, and with what body."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Request

from core.ids import ServerName
from core.web.federation_auth import SignatureCheck, authenticate_server
from core.web.json_body import MAX_BODY_BYTES, read_object


@dataclass(frozen=True, slots=True)
class ServerGate:
    """Authenticates servers. `server_name` is ours."""

    check: SignatureCheck
    server_name: ServerName

    def authenticate(self, request: Request) -> ServerName:
        """Who sent a request without a body. Raises Unauthorized, Forbidden."""
        return authenticate_server(request, self.check, self.server_name)

    def read(self, request: Request, max_bytes: int = MAX_BODY_BYTES) -> tuple[ServerName, dict[str, Any]]:
        """Who sent the request, and the object in its body. Raises as `authenticate`, TooLarge, NotJson, BadJson."""
        content = read_object(request, max_bytes)
        return authenticate_server(request, self.check, self.server_name, content), content
