"""The room directory. Spec: Client-Server API, "Published room directory"."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from marshmallow.validate import OneOf, Range

from core.errors import InvalidParam
from core.ids import RoomId, ServerName
from core.rooms.public_rooms import DirectoryQuery, PublicRooms
from core.web.gate import Gate
from core.web.schemas import (
    JsonBool,
    JsonInt,
    JsonList,
    JsonNested,
    JsonSchema,
    JsonString,
    QueryInt,
    QueryString,
    ServerNameField,
    json_reply,
    load,
    load_object,
    load_query,
    read_json,
)

RemotePublicRooms = Callable[[ServerName, Mapping[str, Any]], Mapping[str, Any]]
"""Another server's directory, by its name and the body of the query."""


class ListQuery(JsonSchema):
    """A page, of which server."""

    limit = QueryInt(load_default=None, validate=Range(min=0))
    since = QueryString(load_default=None)
    server = ServerNameField(load_default=None)


class ServerQuery(JsonSchema):
    """Whose directory."""

    server = ServerNameField(load_default=None)


class FilterBody(JsonSchema):
    """Which rooms."""

    generic_search_term = JsonString(load_default=None, allow_none=True)
    room_types = JsonList(JsonString(allow_none=True), load_default=None, allow_none=True, max_items=100)


class QueryBody(JsonSchema):
    """Which rooms, from where on, of which networks."""

    limit = JsonInt(load_default=None, allow_none=True, validate=Range(min=0))
    since = JsonString(load_default=None, allow_none=True)
    filter = JsonNested(FilterBody, load_default=None, allow_none=True)
    include_all_networks = JsonBool(load_default=False)
    third_party_instance_id = JsonString(load_default=None, allow_none=True)


class VisibilityBody(JsonSchema):
    """Whether the room is listed."""

    visibility = JsonString(load_default="public", validate=OneOf(["public", "private"]))


def query_of(body: Mapping[str, Any]) -> DirectoryQuery:
    """What a checked QueryBody asks for; federation's endpoint reads the same body. Raises InvalidParam."""
    network, filters = body["third_party_instance_id"], body["filter"] or {}
    if body["include_all_networks"] and network:
        raise InvalidParam("'third_party_instance_id' can only be used if 'include_all_networks' is false.")
    return DirectoryQuery(
        limit=body["limit"],
        since=body["since"] or None,
        term=filters.get("generic_search_term"),
        types=filters.get("room_types"),
        network=None if body["include_all_networks"] else network or "",
    )


def blueprint(
    rooms: PublicRooms, remote: RemotePublicRooms, gate: Gate, server_name: ServerName, is_open: bool
) -> Blueprint:
    """The directory; `is_open` lets those read it who are not signed in."""
    bp = Blueprint("client_list_public_rooms", __name__)
    list_query, server_query, body, visibility = ListQuery(), ServerQuery(), QueryBody(), VisibilityBody()

    @bp.get("/_matrix/client/v3/publicRooms")
    def get_public_rooms() -> ResponseReturnValue:
        """A page of a directory."""
        if not is_open or request.args.get("server", server_name) != server_name:
            gate.authenticate(request, allow_guest=True)
        query = load_query(list_query, request)
        if query["server"] not in (None, server_name):
            asked = {key: query[key] for key in ("limit", "since") if query[key] is not None}
            return json_reply(dict(remote(query["server"], asked)))
        return json_reply(rooms.listed(DirectoryQuery(query["limit"], query["since"] or None)))

    @bp.post("/_matrix/client/v3/publicRooms")
    def query_public_rooms() -> ResponseReturnValue:
        """A page of what a filter lets through."""
        gate.authenticate(request, allow_guest=True)
        server = load_query(server_query, request)["server"]
        asked = read_json(request)
        query = query_of(load_object(body, asked))
        if server not in (None, server_name):
            return json_reply(dict(remote(server, asked)))
        return json_reply(rooms.listed(query))

    @bp.get("/_matrix/client/v3/directory/list/room/<room_id>")
    def get_room_visibility(room_id: str) -> ResponseReturnValue:
        """Whether a room is listed."""
        return json_reply({"visibility": "public" if rooms.is_published(RoomId(room_id)) else "private"})

    @bp.put("/_matrix/client/v3/directory/list/room/<room_id>")
    def set_room_visibility(room_id: str) -> ResponseReturnValue:
        """List a room, or no longer."""
        requester = gate.authenticate(request)
        rooms.publish(requester, RoomId(room_id), load(visibility, request)["visibility"] == "public")
        return json_reply(b"{}")

    @bp.put("/_matrix/client/v3/directory/list/appservice/<network_id>/<room_id>")
    def set_room_visibility_in_network(network_id: str, room_id: str) -> ResponseReturnValue:
        """List a room in a network of the calling application service, or no longer."""
        requester = gate.authenticate(request)
        is_public = load(visibility, request)["visibility"] == "public"
        rooms.publish_in_network(requester, network_id, RoomId(room_id), is_public)
        return json_reply(b"{}")

    return bp
