"""Deleting devices; listing and naming them is beside, in `devices`. Spec: Client-Server API, "Device Management"."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from core.accounts.interactive_auth import InteractiveAuth, Operation
from core.accounts.sessions import Sessions
from core.ids import DeviceId, Requester
from core.web.gate import Gate
from core.web.json_body import read_object
from core.web.schemas import Empty, JsonList, JsonSchema, JsonString, dump, load_object

FLOWS = (("m.login.password",),)
"""How a user authenticates to delete devices."""
MAX_DEVICES = 1_000
"""How many devices one request may delete."""


class DevicesBody(JsonSchema):
    """Which devices are to go."""

    devices = JsonList(JsonString(max_bytes=512), required=True, max_items=MAX_DEVICES)


def blueprint(sessions: Sessions, interactive: InteractiveAuth, gate: Gate) -> Blueprint:
    """Deleting the caller's own devices, with everything that belongs to them."""
    bp, devices_body = Blueprint("client_device_management", __name__), DevicesBody()

    def authorize(requester: Requester, method: str, uri: str, body: dict[str, Any], auth: Any) -> None:
        if requester.appservice_id is None:
            interactive.authorize(
                Operation(method, uri, body, requester.user_id, requester.token_nid, may_skip=True), auth, FLOWS
            )

    @bp.delete("/_matrix/client/v3/devices/<device_id>")
    def delete_device(device_id: str) -> ResponseReturnValue:
        """Delete one device; one that is gone already is fine."""
        requester = gate.authenticate(request)
        body = read_object(request, may_be_empty=True)
        auth = body.pop("auth", None)
        authorize(requester, "DELETE", f"/_matrix/client/v3/devices/{device_id}", body, auth)
        sessions.close_devices(requester.user_nid, [DeviceId(device_id)])
        return dump(Empty, {})

    @bp.post("/_matrix/client/v3/delete_devices")
    def delete_devices() -> ResponseReturnValue:
        """Delete several devices."""
        requester = gate.authenticate(request)
        body = read_object(request)
        auth = body.pop("auth", None)
        wanted = load_object(devices_body, body)["devices"]
        authorize(requester, "POST", "/_matrix/client/v3/delete_devices", body, auth)
        sessions.close_devices(requester.user_nid, [DeviceId(device_id) for device_id in wanted])
        return dump(Empty, {})

    return bp
