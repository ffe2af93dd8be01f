"""Single events and members of a room. Spec: Client-Server API, "Getting events for a room"."""

from __future__ import annotations

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from marshmallow.validate import OneOf

from core.ids import EventId, RoomId
from core.rooms.paging import Paging
from core.rooms.reading import Reading
from core.storage.memberships import MEMBERSHIPS
from core.web.gate import Gate
from core.web.schemas import JsonSchema, QueryString, json_reply, load_query


class MembersQuery(JsonSchema):
    """Which members, and when."""

    at = QueryString(load_default=None)
    membership = QueryString(load_default=None, validate=OneOf(MEMBERSHIPS[1:]))
    not_membership = QueryString(load_default=None, validate=OneOf(MEMBERSHIPS[1:]))


def blueprint(reading: Reading, paging: Paging, gate: Gate) -> Blueprint:
    """Events by id, members, and the rooms one is in."""
    bp, members_query = Blueprint("client_rooms", __name__), MembersQuery()

    @bp.get("/_matrix/client/v3/rooms/<room_id>/event/<event_id>")
    def get_one_room_event(room_id: str, event_id: str) -> ResponseReturnValue:
        """One event."""
        requester = gate.authenticate(request, allow_guest=True)
        stored = reading.event(requester, RoomId(room_id), EventId(event_id))
        return json_reply(reading.render_one(requester, stored))

    @bp.get("/_matrix/client/v3/rooms/<room_id>/members")
    def get_members_by_room(room_id: str) -> ResponseReturnValue:
        """The member events."""
        requester = gate.authenticate(request, allow_guest=True)
        query = load_query(members_query, request)
        at = None if query["at"] is None else paging.token(RoomId(room_id), query["at"])
        chunk = reading.members(requester, RoomId(room_id), query["membership"], query["not_membership"], at)
        return json_reply(b'{"chunk":[' + b",".join(chunk) + b"]}")

    @bp.get("/_matrix/client/v3/rooms/<room_id>/joined_members")
    def get_joined_members_by_room(room_id: str) -> ResponseReturnValue:
        """Who is in the room."""
        requester = gate.authenticate(request, allow_guest=True)
        return json_reply(b'{"joined":%b}' % reading.joined_members(requester, RoomId(room_id)))

    @bp.get("/_matrix/client/v3/joined_rooms")
    def get_joined_rooms() -> ResponseReturnValue:
        """The rooms one is in."""
        requester = gate.authenticate(request, allow_guest=True)
        return json_reply({"joined_rooms": reading.joined_rooms(requester)})

    return bp
