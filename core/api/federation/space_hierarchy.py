"""A space and its children, as another server may see them. Spec: Server-Server API, "Spaces"."""

from __future__ import annotations

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from core.api.federation.server_gate import ServerGate
from core.ids import RoomId
from core.rooms.hierarchy import Hierarchy
from core.web.schemas import JsonSchema, QueryBool, json_reply, load_query


class HierarchyQuery(JsonSchema):
    """Which children."""

    suggested_only = QueryBool(load_default=False)


def blueprint(hierarchy: Hierarchy, gate: ServerGate) -> Blueprint:
    """The one endpoint."""
    bp, query = Blueprint("federation_space_hierarchy", __name__), HierarchyQuery()

    @bp.get("/_matrix/federation/v1/hierarchy/<room_id>")
    def get_space_hierarchy(room_id: str) -> ResponseReturnValue:
        """A room and its children."""
        origin = gate.authenticate(request)
        is_suggested_only = load_query(query, request)["suggested_only"]
        return json_reply(hierarchy.for_server(origin, RoomId(room_id), is_suggested_only))

    return bp
