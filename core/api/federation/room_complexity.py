"""How complex a room is, for servers that would rather not join large ones: Synapse's endpoint."""

from __future__ import annotations

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from core.api.federation.server_gate import ServerGate
from core.ids import RoomId
from core.rooms.complexity import RoomComplexity
from core.web.schemas import json_reply


def blueprint(complexity: RoomComplexity, gate: ServerGate) -> Blueprint:
    """The endpoint."""
    bp = Blueprint("federation_room_complexity", __name__)

    @bp.get("/_matrix/federation/unstable/rooms/<room_id>/complexity")
    def get_complexity(room_id: str) -> ResponseReturnValue:
        """The complexity of a public room."""
        gate.authenticate(request)
        return json_reply({"v1": complexity.told(RoomId(room_id))})

    return bp
