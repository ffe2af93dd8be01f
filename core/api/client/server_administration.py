"""What administrators ask of one user. Spec: Client-Server API, "Server administration".

Whether the caller may ask comes before whether the user exists.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from core.accounts.administration import Administration
from core.accounts.devices import Devices
from core.errors import Forbidden, InvalidParam, NotFound
from core.ids import Requester, ServerName, UserId, is_user_id, server_of
from core.storage.devices import Device
from core.storage.users import User
from core.web.gate import Gate
from core.web.schemas import JsonBool, JsonSchema, json_reply, load


class SuspendBody(JsonSchema):
    """The body of a suspension."""

    suspended = JsonBool(required=True)


class LockBody(JsonSchema):
    """The body of a lock."""

    locked = JsonBool(required=True)


def blueprint(administration: Administration, devices: Devices, gate: Gate, server_name: ServerName) -> Blueprint:
    """Whois, suspension, locks."""
    bp = Blueprint("client_server_administration", __name__)
    suspend_body, lock_body = SuspendBody(), LockBody()

    def known(user_id: str) -> User:
        if not is_user_id(user_id) or server_of(user_id) != server_name:
            raise InvalidParam(f"{user_id[:255]} is no user of this server.")
        user = administration.get(UserId(user_id))
        if user.is_deactivated:
            raise NotFound(f"The account {user_id} is deactivated.")
        return user

    def changeable(requester: Requester, user_id: str) -> User:
        user = known(user_id)
        if user.user_id == requester.user_id:
            raise Forbidden("Administrators cannot do this to themselves.")
        if user.is_admin:
            raise Forbidden("This cannot be done to another administrator.")
        return user

    @bp.get("/_matrix/client/v3/admin/whois/<user_id>")
    def get_whois(user_id: str) -> ResponseReturnValue:
        """Where a user was seen, told to the user and to administrators."""
        requester = gate.authenticate(request)
        if requester.user_id != user_id:
            requester = gate.authenticate_admin(request)
        user = administration.get(UserId(user_id))
        seen = {device.device_id: _seen(device) for device in devices.of_user(user.user_nid)}
        return json_reply({"user_id": user.user_id, "devices": seen})

    @bp.get("/_matrix/client/v1/admin/suspend/<user_id>")
    def get_suspend(user_id: str) -> ResponseReturnValue:
        """Whether a user is suspended."""
        gate.authenticate_admin(request)
        return json_reply({"suspended": known(user_id).is_suspended})

    @bp.put("/_matrix/client/v1/admin/suspend/<user_id>")
    def put_suspend(user_id: str) -> ResponseReturnValue:
        """Suspend a user, or let them act again."""
        requester = gate.authenticate_admin(request)
        is_suspended = load(suspend_body, request)["suspended"]
        administration.set_suspended(changeable(requester, user_id).user_id, is_suspended)
        return json_reply({"suspended": is_suspended})

    @bp.get("/_matrix/client/v1/admin/lock/<user_id>")
    def get_lock(user_id: str) -> ResponseReturnValue:
        """Whether a user is locked out."""
        gate.authenticate_admin(request)
        return json_reply({"locked": known(user_id).is_locked})

    @bp.put("/_matrix/client/v1/admin/lock/<user_id>")
    def put_lock(user_id: str) -> ResponseReturnValue:
        """Lock a user out, or let them in again."""
        requester = gate.authenticate_admin(request)
        is_locked = load(lock_body, request)["locked"]
        administration.set_locked(changeable(requester, user_id).user_id, is_locked)
        return json_reply({"locked": is_locked})

    return bp


def _seen(device: Device) -> dict[str, Any]:
    if device.last_seen_ms is None:
        return {"sessions": [{"connections": []}]}
    connection = {
        "ip": device.last_seen_ip,
        "last_seen": device.last_seen_ms,
        "user_agent": device.last_seen_user_agent,
    }
    return {"sessions": [{"connections": [connection]}]}
