"""The rooms of a space. Spec: Client-Server API, "Spaces"."""

from __future__ import annotations

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from marshmallow.validate import Range

from core.ids import RoomId
from core.rooms.hierarchy import Hierarchy
from core.web.gate import Gate
from core.web.schemas import JsonSchema, QueryBool, QueryInt, QueryString, json_reply, load_query

DEFAULT_ROOMS = 50
MOST_ROOMS = 100


class HierarchyQuery(JsonSchema):
    """Which rooms, how deep, how many, from where on."""

    suggested_only = QueryBool(load_default=False)
    limit = QueryInt(load_default=DEFAULT_ROOMS, validate=Range(min=1))
    max_depth = QueryInt(load_default=None, validate=Range(min=0))
    start = QueryString(data_key="from", load_default=None)


def blueprint(hierarchy: Hierarchy, gate: Gate) -> Blueprint:
    """A space's rooms, in pages."""
    bp, schema = Blueprint("client_space_hierarchy", __name__), HierarchyQuery()

    @bp.get("/_matrix/client/v1/rooms/<room_id>/hierarchy")
    @bp.get("/_matrix/client/unstable/org.matrix.msc2946/rooms/<room_id>/hierarchy", endpoint="unstable")
    def get_space_hierarchy(room_id: str) -> ResponseReturnValue:
        """A page of the tree, depth first."""
        requester = gate.authenticate(request, allow_guest=True)
        query = load_query(schema, request)
        rooms, more = hierarchy.page(
            requester,
            RoomId(room_id),
            query["suggested_only"],
            query["max_depth"],
            min(query["limit"], MOST_ROOMS),
            query["start"],
        )
        return json_reply({"rooms": rooms} if more is None else {"rooms": rooms, "next_batch": more})

    return bp
