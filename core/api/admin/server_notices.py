"""Notices that administrators send to their users, under Synapse's paths."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from core.ids import ServerName, UserId
from core.rooms.server_notices import ServerNotices, local_user
from core.storage.users import UserStore
from core.web.gate import Gate
from core.web.schemas import JsonObject, JsonSchema, JsonString, UserIdField, json_reply, load

_PATH = "/_synapse/admin/v1/send_server_notice"


class NoticeBody(JsonSchema):
    """Who is told, and what."""

    user_id = UserIdField(required=True)
    content = JsonObject(required=True)
    type = JsonString(load_default="m.room.message", max_bytes=255)
    state_key = JsonString(load_default=None, allow_none=True, max_bytes=255)


def blueprint(notices: ServerNotices, users: UserStore, gate: Gate, server_name: ServerName) -> Blueprint:
    """One endpoint, with and without a transaction id."""
    bp, body = Blueprint("admin_server_notices", __name__), NoticeBody()

    @bp.post(_PATH)
    def post_notice() -> ResponseReturnValue:
        """Tell a user something."""
        gate.authenticate_admin(request)
        return send(load(body, request), None)

    @bp.put(f"{_PATH}/<txn_id>")
    def put_notice(txn_id: str) -> ResponseReturnValue:
        """Tell a user something, once."""
        gate.authenticate_admin(request)
        return send(load(body, request), txn_id)

    def send(asked: dict[str, Any], txn_id: str | None) -> ResponseReturnValue:
        user = local_user(users, UserId(asked["user_id"]), server_name)
        event_id = notices.send(user, asked["content"], asked["type"], asked["state_key"], txn_id)
        return json_reply({"event_id": event_id})

    return bp
