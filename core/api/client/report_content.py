"""Reports of events, rooms and users. Spec: Client-Server API, "Reporting Content"."""

from __future__ import annotations

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from marshmallow.validate import Length, Range

from core.errors import InvalidParam
from core.ids import EventId, RoomId, UserId, is_user_id
from core.rooms.reports import Reports
from core.web.gate import Gate
from core.web.schemas import JsonInt, JsonSchema, JsonString, json_reply, load

MOST_CHARACTERS = 4_000
"""Of a reason."""
_LENGTH = Length(max=MOST_CHARACTERS)


class EventReportBody(JsonSchema):
    """Why, and what older clients add: how bad it is, from -100 to 0."""

    reason = JsonString(load_default=None, allow_none=True, validate=_LENGTH)
    score = JsonInt(load_default=None, allow_none=True, validate=Range(min=-1_000, max=1_000))


class ReportBody(JsonSchema):
    """Why; may be blank."""

    reason = JsonString(required=True, validate=_LENGTH)


def blueprint(reports: Reports, gate: Gate) -> Blueprint:
    """Reporting content."""
    bp, event_body, body = Blueprint("client_report_content", __name__), EventReportBody(), ReportBody()

    @bp.post("/_matrix/client/v3/rooms/<room_id>/report/<event_id>")
    def report_event(room_id: str, event_id: str) -> ResponseReturnValue:
        """Report an event."""
        requester = gate.authenticate(request)
        gate.limit(requester, "rc_reports")
        given = load(event_body, request)
        reports.report_event(requester, RoomId(room_id), EventId(event_id), given["reason"], given["score"])
        return json_reply({})

    @bp.post("/_matrix/client/v3/rooms/<room_id>/report")
    @bp.post("/_matrix/client/unstable/org.matrix.msc4151/rooms/<room_id>/report", endpoint="unstable_room")
    def report_room(room_id: str) -> ResponseReturnValue:
        """Report a room."""
        requester = gate.authenticate(request)
        gate.limit(requester, "rc_reports")
        reports.report_room(requester, RoomId(room_id), load(body, request)["reason"])
        return json_reply({})

    @bp.post("/_matrix/client/v3/users/<user_id>/report")
    @bp.post("/_matrix/client/unstable/org.matrix.msc4260/users/<user_id>/report", endpoint="unstable_user")
    def report_user(user_id: str) -> ResponseReturnValue:
        """Report a user."""
        requester = gate.authenticate(request)
        gate.limit(requester, "rc_reports")
        if not is_user_id(user_id):
            raise InvalidParam(f"{user_id!r} is no user id; they look like @name:example.org.")
        reports.report_user(requester, UserId(user_id), load(body, request)["reason"])
        return json_reply({})

    return bp
