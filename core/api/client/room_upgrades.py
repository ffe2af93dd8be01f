"""Upgrading a room. Spec: Client-Server API, "Room Upgrades"."""

from __future__ import annotations

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from core.events.room_versions import room_version
from core.ids import RoomId
from core.rooms.upgrade import RoomUpgrades
from core.web.gate import Gate
from core.web.schemas import JsonList, JsonSchema, JsonString, json_reply, load


class UpgradeBody(JsonSchema):
    """To which version, and who else is a creator of the new room."""

    new_version = JsonString(required=True)
    additional_creators = JsonList(JsonString(), load_default=list)


def blueprint(upgrades: RoomUpgrades, gate: Gate) -> Blueprint:
    """Upgrades."""
    bp, schema = Blueprint("client_room_upgrades", __name__), UpgradeBody()

    @bp.post("/_matrix/client/v3/rooms/<room_id>/upgrade")
    def upgrade_room(room_id: str) -> ResponseReturnValue:
        """Replace a room by one of another version."""
        requester = gate.authenticate(request)
        gate.limit(requester, "rc_room_creation")
        body = load(schema, request)
        new = upgrades.upgrade(
            requester, RoomId(room_id), room_version(body["new_version"]), body["additional_creators"]
        )
        return json_reply({"replacement_room": new})

    return bp
