"""Room aliases, and which rooms the directory lists. Spec: Client-Server API, "Room aliases", "Listing rooms"."""

from __future__ import annotations

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from core.errors import InvalidParam
from core.ids import RoomAlias, RoomId, is_room_alias
from core.rooms.aliases import Aliases
from core.web.gate import Gate
from core.web.schemas import JsonSchema, RoomIdField, json_reply, load


class AliasBody(JsonSchema):
    """The room an alias is to lead to."""

    room_id = RoomIdField(required=True)


def blueprint(aliases: Aliases, gate: Gate) -> Blueprint:
    """Aliases."""
    bp, body = Blueprint("client_directory", __name__), AliasBody()

    @bp.get("/_matrix/client/v3/directory/room/<room_alias>")
    def get_room_id_by_alias(room_alias: str) -> ResponseReturnValue:
        """Where an alias leads."""
        room_id, servers = aliases.resolve(_alias(room_alias))
        return json_reply({"room_id": room_id, "servers": list(servers)})

    @bp.put("/_matrix/client/v3/directory/room/<room_alias>")
    def set_room_alias(room_alias: str) -> ResponseReturnValue:
        """Make an alias."""
        requester = gate.authenticate(request)
        aliases.create(requester, RoomAlias(room_alias), RoomId(load(body, request)["room_id"]))
        return json_reply(b"{}")

    @bp.delete("/_matrix/client/v3/directory/room/<room_alias>")
    def delete_room_alias(room_alias: str) -> ResponseReturnValue:
        """Take an alias away."""
        requester = gate.authenticate(request)
        aliases.remove(requester, RoomAlias(room_alias))
        return json_reply(b"{}")

    @bp.get("/_matrix/client/v3/rooms/<room_id>/aliases")
    def get_local_aliases(room_id: str) -> ResponseReturnValue:
        """The aliases of a room on this server."""
        requester = gate.authenticate(request, allow_guest=True)
        return json_reply({"aliases": aliases.of_room(requester, RoomId(room_id))})

    return bp


def _alias(text: str) -> RoomAlias:
    if not is_room_alias(text):
        raise InvalidParam(f"{text!r} is no room alias; they look like #name:example.org.")
    return RoomAlias(text)
