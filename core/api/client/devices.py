"""Devices: listing and naming. Spec: Client-Server API, "Device Management"."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from core.accounts.devices import Devices
from core.ids import DeviceId, UserId
from core.storage.devices import Device
from core.web.gate import Gate
from core.web.schemas import Empty, JsonSchema, JsonString, dump, json_reply, load


class DeviceBody(JsonSchema):
    """The body of a renaming."""

    display_name = JsonString(load_default=None, max_bytes=1024, allow_none=True)


def blueprint(devices: Devices, gate: Gate) -> Blueprint:
    """The caller's own devices; guests have one, too."""
    bp, body_schema = Blueprint("client_devices", __name__), DeviceBody()

    @bp.get("/_matrix/client/v3/devices")
    def get_devices() -> ResponseReturnValue:
        """All of them."""
        requester = gate.authenticate(request, allow_guest=True)
        return json_reply(
            {"devices": [_shown(device, requester.user_id) for device in devices.of_user(requester.user_nid)]}
        )

    @bp.get("/_matrix/client/v3/devices/<device_id>")
    def get_device(device_id: str) -> ResponseReturnValue:
        """One of them."""
        requester = gate.authenticate(request, allow_guest=True)
        return json_reply(_shown(devices.get(requester.user_nid, DeviceId(device_id)), requester.user_id))

    @bp.put("/_matrix/client/v3/devices/<device_id>")
    def put_device(device_id: str) -> ResponseReturnValue:
        """Name one of them."""
        requester = gate.authenticate(request, allow_guest=True)
        body = load(body_schema, request)
        devices.rename(requester.user_nid, DeviceId(device_id), body["display_name"])
        return dump(Empty, {})

    return bp


def _shown(device: Device, user_id: UserId) -> dict[str, Any]:
    """A device as clients see it; `user_id` is not of the specification, and other servers tell it."""
    shown = {
        "user_id": user_id,
        "device_id": device.device_id,
        "display_name": device.display_name,
        "last_seen_ip": device.last_seen_ip,
        "last_seen_ts": device.last_seen_ms,
    }
    return {key: value for key, value in shown.items() if value is not None}
