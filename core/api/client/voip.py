"""TURN credentials. Spec: Client-Server API, "Voice over IP"."""

from __future__ import annotations

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from core.accounts import turn
from core.config.services import VoipConfig
from core.web.gate import Gate
from core.web.schemas import json_reply


def blueprint(config: VoipConfig, gate: Gate) -> Blueprint:
    """Credentials for the caller."""
    bp = Blueprint("client_voip", __name__)

    @bp.get("/_matrix/client/v3/voip/turnServer")
    def get_turn_server() -> ResponseReturnValue:
        """Servers and credentials; none where there are none."""
        requester = gate.authenticate(request, allow_guest=config.turn_allow_guests)
        return json_reply(turn.credentials(config, requester.user_id))

    return bp
