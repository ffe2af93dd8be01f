"""Typing notifications. Spec: Client-Server API, "Typing Notifications"."""

from __future__ import annotations

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from marshmallow.validate import Range

from core.ids import RoomId, UserId
from core.rooms.typing import Typing
from core.sync.activity import Activity
from core.web.gate import Gate
from core.web.schemas import Empty, JsonBool, JsonInt, JsonSchema, dump, load


class TypingBody(JsonSchema):
    """Whether, and for how long."""

    is_typing = JsonBool(data_key="typing", required=True)
    timeout_ms = JsonInt(data_key="timeout", load_default=30_000, validate=Range(min=0, error="must not be negative"))


def blueprint(typing: Typing, activity: Activity, gate: Gate) -> Blueprint:
    """Typing notifications."""
    bp, body = Blueprint("client_typing", __name__), TypingBody()

    @bp.put("/_matrix/client/v3/rooms/<room_id>/typing/<user_id>")
    def put_typing(room_id: str, user_id: str) -> ResponseReturnValue:
        """Say whether the caller is typing."""
        requester = gate.authenticate(request)
        activity.acted(requester)
        typing.set(requester, RoomId(room_id), UserId(user_id), **load(body, request))
        return dump(Empty, {})

    return bp
