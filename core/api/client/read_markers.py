"""The fully-read marker, and receipts along with it. Spec: Client-Server API, "Fully read markers"."""

from __future__ import annotations

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from core.api.client.receipts import TYPES
from core.ids import EventId, RoomId
from core.rooms.read_markers import FULLY_READ, ReadMarkers
from core.rooms.receipts import Receipts
from core.web.gate import Gate
from core.web.schemas import Empty, EventIdField, JsonSchema, dump, load


class ReadMarkersBody(JsonSchema):
    """The markers to move, each optional."""

    fully_read = EventIdField(data_key=FULLY_READ, load_default=None, allow_none=True)
    public = EventIdField(data_key="m.read", load_default=None, allow_none=True)
    private = EventIdField(data_key="m.read.private", load_default=None, allow_none=True)


def blueprint(receipts: Receipts, markers: ReadMarkers, gate: Gate) -> Blueprint:
    """Moving the marker and both receipts at once."""
    bp, body = Blueprint("client_read_markers", __name__), ReadMarkersBody()

    @bp.post("/_matrix/client/v3/rooms/<room_id>/read_markers")
    def post_read_markers(room_id: str) -> ResponseReturnValue:
        """Say up to where the caller has read, fully and at all."""
        requester = gate.authenticate(request)
        values = load(body, request)
        for name, key in (("m.read", "public"), ("m.read.private", "private")):
            if values[key] is not None:
                receipts.send(requester, RoomId(room_id), TYPES[name], EventId(values[key]))
        if values["fully_read"] is not None:
            markers.move(requester, RoomId(room_id), EventId(values["fully_read"]))
        return dump(Empty, {})

    return bp
