"""The endpoints of presence. Spec: Client-Server API, "Presence"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from core.hooks import BadJson, Forbidden, InvalidParam, PluginApi, Requester, UserId
from plugins.presence.tracker import STATES

PATH = "/_matrix/client/v3/presence/<user_id>/status"
MAX_STATUS_BYTES = 1_000
MAX_BODY_BYTES = 65_536


class Actions(Protocol):
    """What the endpoints do; plugins.presence.plugin."""

    def read_status(self, requester: Requester, user_id: UserId) -> Mapping[str, Any]:
        """The presence of a user. Raises Forbidden where the requester may not know it."""

    def set_status(self, requester: Requester, state: str, status_msg: str | None) -> None:
        """Set the requester's presence."""


def blueprint(api: PluginApi, actions: Actions) -> Blueprint:
    """Reading anybody's presence and setting one's own."""
    bp = Blueprint("plugin_presence", __name__)

    @bp.get(PATH)
    def get_status(user_id: str) -> ResponseReturnValue:
        """What a user is."""
        requester = api.gate.authenticate(request)
        return jsonify(actions.read_status(requester, UserId(user_id)))

    @bp.put(PATH)
    def put_status(user_id: str) -> ResponseReturnValue:
        """Say what the caller is."""
        requester = api.gate.authenticate(request)
        if requester.user_id != user_id:
            raise Forbidden("You may set only your own presence.")
        state, status_msg = _status()
        api.gate.limit(requester, "rc_presence.per_user")
        actions.set_status(requester, state, status_msg)
        return jsonify({})

    return bp


def _status() -> tuple[str, str | None]:
    """(state, message) in the body. Raises: BadJson, InvalidParam."""
    if (request.content_length or 0) > MAX_BODY_BYTES:
        raise InvalidParam(f"The body may have at most {MAX_BODY_BYTES} bytes.")
    body = request.get_json(force=True, silent=True)
    if not isinstance(body, dict):
        raise BadJson("The body must be a JSON object.")
    state, status_msg = body.get("presence"), body.get("status_msg")
    if not isinstance(state, str):
        raise BadJson("'presence' is required and must be a string.")
    if state not in STATES:
        raise InvalidParam(f"'presence' is {state[:100]!r}; it must be one of {', '.join(STATES)}.")
    if status_msg is not None and not isinstance(status_msg, str):
        raise BadJson("'status_msg' must be a string or null.")
    if status_msg is not None and len(status_msg.encode("utf-8", "surrogatepass")) > MAX_STATUS_BYTES:
        raise InvalidParam(f"'status_msg' may have at most {MAX_STATUS_BYTES} bytes.")
    return state, status_msg or None
