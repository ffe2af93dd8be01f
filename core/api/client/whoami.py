"""Who a token belongs to. Spec: Client-Server API, `GET /account/whoami`."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from core.web.gate import Gate
from core.web.schemas import json_reply


def blueprint(gate: Gate) -> Blueprint:
    """The owner of the access token, guests included."""
    bp = Blueprint("client_whoami", __name__)

    @bp.get("/_matrix/client/v3/account/whoami")
    def get_whoami() -> ResponseReturnValue:
        """User, device, and whether it is a guest."""
        requester = gate.authenticate(request, allow_guest=True)
        answer: dict[str, Any] = {"user_id": requester.user_id, "is_guest": requester.is_guest}
        if requester.device_id is not None:
            answer["device_id"] = requester.device_id
        return json_reply(answer)

    return bp
