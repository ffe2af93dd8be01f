"""A snapshot of one room. Spec: Client-Server API, GET /rooms/{roomId}/initialSync."""

from __future__ import annotations

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from marshmallow.validate import Range

from core.ids import RoomId
from core.rooms.initial_sync import InitialSync
from core.web.gate import Gate
from core.web.schemas import JsonSchema, QueryInt, json_reply, load_query


class SnapshotQuery(JsonSchema):
    """How many messages."""

    limit = QueryInt(load_default=10, validate=Range(min=0))


def blueprint(snapshots: InitialSync, gate: Gate) -> Blueprint:
    """Snapshots of rooms."""
    bp, schema = Blueprint("client_room_initial_sync", __name__), SnapshotQuery()

    @bp.get("/_matrix/client/v3/rooms/<room_id>/initialSync")
    def room_initial_sync(room_id: str) -> ResponseReturnValue:
        """State, latest messages and account data of a room."""
        requester = gate.authenticate(request, allow_guest=True)
        return json_reply(snapshots.room(requester, RoomId(room_id), load_query(schema, request)["limit"]))

    return bp
