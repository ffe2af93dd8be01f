"""Invites of our users to rooms of other servers. Spec: Server-Server API, "Inviting to a room"."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from core.api.federation.server_gate import ServerGate
from core.errors import IncompatibleRoomVersion
from core.events.room_versions import ROOM_VERSIONS, V1, RoomVersion
from core.federation.inbound_invites import InboundInvites
from core.ids import EventId, RoomId
from core.web.gate import Gate
from core.web.schemas import JsonAny, JsonObject, JsonSchema, JsonString, json_reply, load_object


class InviteBody(JsonSchema):
    """The event and what is said of the room."""

    room_version = JsonString(required=True)
    event = JsonObject(required=True)
    invite_room_state = JsonAny(load_default=list)


def blueprint(invites: InboundInvites, gate: ServerGate, clients: Gate) -> Blueprint:
    """Both versions of the endpoint; `clients` counts the invites that a user gets."""
    bp, body = Blueprint("federation_invites", __name__), InviteBody()

    @bp.put("/_matrix/federation/v2/invite/<room_id>/<event_id>")
    def send_invite_v2(room_id: str, event_id: str) -> ResponseReturnValue:
        """An invite, returned with our signature."""
        origin, content = gate.read(request)
        asked = load_object(body, content)
        limit(asked["event"])
        version, told = _version(asked["room_version"]), asked["invite_room_state"]
        signed = invites.receive(origin, RoomId(room_id), EventId(event_id), asked["event"], version, told)
        return json_reply({"event": signed})

    @bp.put("/_matrix/federation/v1/invite/<room_id>/<event_id>")
    def send_invite_v1(room_id: str, event_id: str) -> ResponseReturnValue:
        """The same for rooms of versions 1 and 2, in the older form."""
        origin, content = gate.read(request)
        limit(content)
        unsigned = content.get("unsigned")
        told = unsigned.get("invite_room_state", []) if isinstance(unsigned, dict) else []
        signed = invites.receive(origin, RoomId(room_id), EventId(event_id), content, V1, told)
        return json_reply([200, {"event": signed}])

    def limit(event: dict[str, Any]) -> None:
        clients.limit(str(event.get("state_key")), "rc_invites.per_user")

    return bp


def _version(name: str) -> RoomVersion:
    found = ROOM_VERSIONS.get(name)
    if found is None:
        raise IncompatibleRoomVersion(
            f"This server does not know room version {name!r}, only {', '.join(ROOM_VERSIONS)}.", room_version=name
        )
    return found
