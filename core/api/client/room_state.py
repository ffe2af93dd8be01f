"""Setting and reading room state. Spec: Client-Server API, "Getting events for a room", "Sending state events"."""

from __future__ import annotations

from flask import Blueprint, Request, request
from flask.typing import ResponseReturnValue
from marshmallow.validate import OneOf

from core.api.client.delayed_events import asked_delay_ms
from core.graph.client_events import encode
from core.ids import RoomId, UserId
from core.rooms.delayed_events import DelayedEvents
from core.rooms.membership import Memberships
from core.rooms.reading import Reading
from core.rooms.sending import Sending
from core.web.direct import direct
from core.web.gate import Gate
from core.web.schemas import JsonSchema, QueryString, json_reply, load_query, read_json


class StateQuery(JsonSchema):
    """Whether the answer is the content, or the whole event."""

    format = QueryString(load_default="content", validate=OneOf(["content", "event"]))


def blueprint(
    sending: Sending, delayed: DelayedEvents, memberships: Memberships, reading: Reading, gate: Gate
) -> Blueprint:
    """Room state: a key of it, or all."""
    bp, query = Blueprint("client_room_state", __name__), StateQuery()

    @bp.put("/_matrix/client/v3/rooms/<room_id>/state/<event_type>/<state_key>")
    @bp.put("/_matrix/client/v3/rooms/<room_id>/state/<event_type>", defaults={"state_key": ""})
    def set_room_state_with_key(room_id: str, event_type: str, state_key: str) -> ResponseReturnValue:
        """Send a state event, at once or after a delay."""
        requester = gate.authenticate(request, allow_guest=True)
        gate.limit(requester, "rc_message")
        content = read_json(request)
        delay_ms = asked_delay_ms(request)
        if delay_ms is not None:
            draft = (event_type, state_key, content)
            return json_reply({"delay_id": delayed.schedule(requester, RoomId(room_id), draft, delay_ms)})
        if event_type == "m.room.member":
            event_id = memberships.set_by_state(requester, RoomId(room_id), UserId(state_key), content)
        else:
            event_id = sending.set_state(requester, RoomId(room_id), event_type, state_key, content)
        return json_reply({"event_id": event_id})

    @bp.get("/_matrix/client/v3/rooms/<room_id>/state/<event_type>/<state_key>")
    @bp.get("/_matrix/client/v3/rooms/<room_id>/state/<event_type>", defaults={"state_key": ""})
    def get_room_state_with_key(room_id: str, event_type: str, state_key: str) -> ResponseReturnValue:
        """The content of one state event, or the event."""
        requester = gate.authenticate(request, allow_guest=True)
        wanted = load_query(query, request)["format"]
        stored = reading.state_event(requester, RoomId(room_id), event_type, state_key)
        return json_reply(encode(stored.content) if wanted == "content" else reading.render_one(requester, stored))

    @bp.get("/_matrix/client/v3/rooms/<room_id>/state")
    @direct
    def get_room_state(asked: Request, room_id: str) -> bytes:
        """The whole state."""
        requester = gate.authenticate(asked, allow_guest=True)
        return b"[" + b",".join(reading.state(requester, RoomId(room_id))) + b"]"

    return bp
