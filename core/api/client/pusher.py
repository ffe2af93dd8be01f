"""Pushers. Spec: Client-Server API, "Push Notifications"."""

from __future__ import annotations

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from core.push.pushers import Pushers
from core.web.gate import Gate
from core.web.schemas import Empty, JsonBool, JsonObject, JsonSchema, JsonString, dump, json_reply, load


class PusherBody(JsonSchema):
    """A pusher; `kind` null removes it."""

    kind = JsonString(required=True, allow_none=True)
    app_id = JsonString(required=True, min_bytes=1, max_bytes=256)
    pushkey = JsonString(required=True, min_bytes=1, max_bytes=512)
    app_display_name = JsonString(load_default=None, allow_none=True)
    device_display_name = JsonString(load_default=None, allow_none=True)
    profile_tag = JsonString(load_default=None, allow_none=True)
    lang = JsonString(load_default=None, allow_none=True)
    data = JsonObject(load_default=None, allow_none=True)
    append = JsonBool(load_default=False)


def blueprint(pushers: Pushers, gate: Gate) -> Blueprint:
    """The caller's pushers."""
    bp, body_schema = Blueprint("client_pusher", __name__), PusherBody()

    @bp.get("/_matrix/client/v3/pushers")
    def get_pushers() -> ResponseReturnValue:
        """All of them."""
        requester = gate.authenticate(request)
        return json_reply({"pushers": pushers.of(requester.user_nid)})

    @bp.post("/_matrix/client/v3/pushers/set")
    def post_pusher() -> ResponseReturnValue:
        """Set one, or remove it."""
        requester = gate.authenticate(request)
        body = load(body_schema, request)
        kind, app_id, pushkey, append = (body.pop(key) for key in ("kind", "app_id", "pushkey", "append"))
        if kind is None:
            pushers.remove(requester.user_nid, app_id, pushkey)
        else:
            pushers.set(requester, kind, app_id, pushkey, body, append)
        return dump(Empty, {})

    return bp
