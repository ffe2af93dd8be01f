"""This server's room directory, for other servers. Spec: Server-Server API, "Published Room Directory"."""

from __future__ import annotations

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from marshmallow.validate import Range

from core.api.client.list_public_rooms import QueryBody, query_of
from core.api.federation.server_gate import ServerGate
from core.errors import Forbidden
from core.rooms.public_rooms import PublicRooms
from core.web.schemas import JsonSchema, QueryBool, QueryInt, QueryString, json_reply, load_object, load_query


class RoomsQuery(JsonSchema):
    """A page, of which networks."""

    limit = QueryInt(load_default=None, validate=Range(min=0))
    since = QueryString(load_default=None)
    include_all_networks = QueryBool(load_default=False)
    third_party_instance_id = QueryString(load_default=None)


def blueprint(rooms: PublicRooms, gate: ServerGate, is_shown: bool) -> Blueprint:
    """The directory; with `is_shown` False it is kept from other servers."""
    bp, query, body = Blueprint("federation_public_rooms", __name__), RoomsQuery(), QueryBody()

    @bp.get("/_matrix/federation/v1/publicRooms")
    def get_public_rooms() -> ResponseReturnValue:
        """A page of the directory."""
        gate.authenticate(request)
        _require_shown()
        asked = load_query(query, request)
        return json_reply(rooms.listed(query_of({**asked, "filter": None})))

    @bp.post("/_matrix/federation/v1/publicRooms")
    def query_public_rooms() -> ResponseReturnValue:
        """A page of what a filter lets through."""
        _, content = gate.read(request)
        _require_shown()
        return json_reply(rooms.listed(query_of(load_object(body, content))))

    def _require_shown() -> None:
        if not is_shown:
            raise Forbidden("This server does not show its room directory to other servers.")

    return bp
