"""Login and refresh. Spec: Client-Server API, "Legacy login", "Refreshing access tokens"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from flask import Blueprint, Request, request
from flask.typing import ResponseReturnValue

from core.accounts.login import Login, Origin
from core.accounts.sessions import DeviceRequest, Sessions
from core.ids import DeviceId, ServerName
from core.web.direct import direct
from core.web.gate import Gate, client_address
from core.web.json_body import read_object
from core.web.schemas import JsonBool, JsonSchema, JsonString, json_reply, load, load_object


class DeviceFields(JsonSchema):
    """What login and registration say of the device."""

    device_id = JsonString(load_default=None, min_bytes=1, max_bytes=512, allow_nul=False, allow_none=True)
    initial_device_display_name = JsonString(load_default=None, max_bytes=1024, allow_none=True)
    refresh_token = JsonBool(load_default=False)


class RefreshBody(JsonSchema):
    """The body of /refresh."""

    refresh_token = JsonString(required=True)


DEVICE_FIELDS = DeviceFields()


def device_request(body: dict[str, Any]) -> DeviceRequest:
    """The session a body asks for. Raises: `BadJson`."""
    fields = load_object(DEVICE_FIELDS, body)
    device_id = fields["device_id"]
    return DeviceRequest(
        None if device_id is None else DeviceId(device_id),
        fields["initial_device_display_name"],
        fields["refresh_token"],
    )


def blueprint(
    login: Login, sessions: Sessions, gate: Gate, server_name: ServerName, well_known: Mapping[str, Any] | None = None
) -> Blueprint:
    """Login types, login and refresh; `well_known` is what /.well-known/matrix/client says, if there is one."""
    bp, refresh_body = Blueprint("client_login", __name__), RefreshBody()

    @bp.get("/_matrix/client/v3/login")
    def get_login() -> ResponseReturnValue:
        """The login types."""
        return json_reply({"flows": login.flows()})

    @bp.post("/_matrix/client/v3/login")
    @direct
    def post_login(asked: Request) -> bytes:
        """Sign in."""
        ip = client_address(asked)
        gate.limit(ip, "rc_login.address")
        body = read_object(asked)
        wanted = device_request(body)
        user, session = login.log_in(body, wanted, Origin(ip, asked.environ.get("HTTP_USER_AGENT", "")))
        answer: dict[str, Any] = {
            "user_id": user.user_id,
            "device_id": session.device_id,
            "home_server": server_name,
            **session.answer(),
        }
        if well_known is not None:
            answer["well_known"] = well_known
        return orjson.dumps(answer)

    @bp.post("/_matrix/client/v3/refresh")
    def post_refresh() -> ResponseReturnValue:
        """Exchange a refresh token. Not limited: many share an address, and 256 random bits cannot be guessed."""
        body = load(refresh_body, request)
        return json_reply(sessions.refresh(body["refresh_token"]).answer())

    return bp
