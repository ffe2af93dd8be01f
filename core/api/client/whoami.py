"""Who a token belongs to. Spec: Client-Server API, `GET /account/whoami`."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Blueprint, Request

from core.web.direct import direct
from core.web.gate import Gate


def blueprint(gate: Gate) -> Blueprint:
    """The owner of the access token, guests included."""
    bp = Blueprint("client_whoami", __name__)

    @bp.get("/_matrix/client/v3/account/whoami")
    @direct
    def get_whoami(asked: Request) -> bytes:
        """User, device, and whether it is a guest."""
        requester = gate.authenticate(asked, allow_guest=True)
        answer: dict[str, Any] = {"user_id": requester.user_id, "is_guest": requester.is_guest}
        if requester.device_id is not None:
            answer["device_id"] = requester.device_id
        return orjson.dumps(answer)

    return bp
