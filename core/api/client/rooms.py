"""Single events and members of a room. Spec: Client-Server API, "Getting events for a room"."""

from __future__ import annotations

import orjson
from flask import Blueprint, Request
from marshmallow.validate import OneOf

from core.ids import EventId, RoomId
from core.rooms.paging import Paging
from core.rooms.reading import Reading
from core.storage.memberships import MEMBERSHIPS
from core.web.direct import direct
from core.web.gate import Gate
from core.web.schemas import JsonSchema, QueryString, load_query


class MembersQuery(JsonSchema):
    """Which members, and when."""

    at = QueryString(load_default=None)
    membership = QueryString(load_default=None, validate=OneOf(MEMBERSHIPS[1:]))
    not_membership = QueryString(load_default=None, validate=OneOf(MEMBERSHIPS[1:]))


def blueprint(reading: Reading, paging: Paging, gate: Gate) -> Blueprint:
    """Events by id, members, and the rooms one is in."""
    bp, members_query = Blueprint("client_rooms", __name__), MembersQuery()

    @bp.get("/_matrix/client/v3/rooms/<room_id>/event/<event_id>")
    @direct
    def get_one_room_event(asked: Request, room_id: str, event_id: str) -> bytes:
        """One event."""
        requester = gate.authenticate(asked, allow_guest=True)
        stored = reading.event(requester, RoomId(room_id), EventId(event_id))
        return reading.render_one(requester, stored)

    @bp.get("/_matrix/client/v3/rooms/<room_id>/members")
    @direct
    def get_members_by_room(asked: Request, room_id: str) -> bytes:
        """The member events."""
        requester = gate.authenticate(asked, allow_guest=True)
        query = load_query(members_query, asked)
        at = None if query["at"] is None else paging.token(RoomId(room_id), query["at"])
        chunk = reading.members(requester, RoomId(room_id), query["membership"], query["not_membership"], at)
        return b'{"chunk":[' + b",".join(chunk) + b"]}"

    @bp.get("/_matrix/client/v3/rooms/<room_id>/joined_members")
    @direct
    def get_joined_members_by_room(asked: Request, room_id: str) -> bytes:
        """Who is in the room."""
        requester = gate.authenticate(asked, allow_guest=True)
        return b'{"joined":%b}' % reading.joined_members(requester, RoomId(room_id))

    @bp.get("/_matrix/client/v3/joined_rooms")
    @direct
    def get_joined_rooms(asked: Request) -> bytes:
        """The rooms one is in."""
        requester = gate.authenticate(asked, allow_guest=True)
        return orjson.dumps({"joined_rooms": reading.joined_rooms(requester)})

    return bp
