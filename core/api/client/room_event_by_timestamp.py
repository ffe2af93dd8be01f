"""Jumping to a date. Spec: Client-Server API, GET /rooms/{roomId}/timestamp_to_event."""

from __future__ import annotations

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from marshmallow.validate import OneOf

from core.ids import RoomId
from core.rooms.timestamp_lookup import TimestampLookup
from core.web.gate import Gate
from core.web.schemas import JsonSchema, QueryInt, QueryString, json_reply, load_query


class TimestampQuery(JsonSchema):
    """When, in milliseconds, and which way to look."""

    ts = QueryInt(required=True)
    direction = QueryString(data_key="dir", required=True, validate=OneOf(["f", "b"]))


def blueprint(lookup: TimestampLookup, gate: Gate) -> Blueprint:
    """Events by time."""
    bp, schema = Blueprint("client_room_event_by_timestamp", __name__), TimestampQuery()

    @bp.get("/_matrix/client/v1/rooms/<room_id>/timestamp_to_event")
    @bp.get("/_matrix/client/unstable/org.matrix.msc3030/rooms/<room_id>/timestamp_to_event", endpoint="unstable")
    def get_event_by_timestamp(room_id: str) -> ResponseReturnValue:
        """The event nearest to a time."""
        requester = gate.authenticate(request, allow_guest=True)
        query = load_query(schema, request)
        found = lookup.nearest(requester, RoomId(room_id), query["ts"], query["direction"] == "b")
        return json_reply({"event_id": found.event_id, "origin_server_ts": found.origin_server_ts})

    return bp
