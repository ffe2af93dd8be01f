"""Typing notifications. Spec: Client-Server API, "Typing Notifications"."""

from __future__ import annotations

from flask import Blueprint, Request
from marshmallow.validate import Range

from core.ids import RoomId, UserId
from core.rooms.typing import Typing
from core.sync.activity import Activity
from core.web.direct import direct
from core.web.gate import Gate
from core.web.schemas import JsonBool, JsonInt, JsonSchema, load


class TypingBody(JsonSchema):
    """Whether, and for how long."""

    is_typing = JsonBool(data_key="typing", required=True)
    timeout_ms = JsonInt(data_key="timeout", load_default=30_000, validate=Range(min=0, error="must not be negative"))


def blueprint(typing: Typing, activity: Activity, gate: Gate) -> Blueprint:
    """Typing notifications."""
    bp, body = Blueprint("client_typing", __name__), TypingBody()

    @bp.put("/_matrix/client/v3/rooms/<room_id>/typing/<user_id>")
    @direct
    def put_typing(asked: Request, room_id: str, user_id: str) -> bytes:
        """Say whether the caller is typing."""
        requester = gate.authenticate(asked)
        activity.acted(requester)
        typing.set(requester, RoomId(room_id), UserId(user_id), **load(body, asked))
        return b"{}"

    return bp
