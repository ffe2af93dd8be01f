"""Summaries of rooms. Spec: Client-Server API, `GET /room_summary/{roomIdOrAlias}`.

Clients also ask at the paths the summary had before it was specified, and read its older names there.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from core.errors import InvalidParam
from core.ids import ServerName, is_room_alias, is_room_id
from core.rooms.room_summary import RoomSummaries
from core.web.gate import Gate
from core.web.schemas import JsonSchema, QueryStrings, ServerNameField, json_reply, load_query

_OLDER_NAMES = ("room_version", "encryption")


class SummaryQuery(JsonSchema):
    """Servers to ask. `via` had the other name once."""

    via = QueryStrings(ServerNameField(), load_default=())
    server_name = QueryStrings(ServerNameField(), load_default=())


def blueprint(summaries: RoomSummaries, gate: Gate) -> Blueprint:
    """Summaries, for those who are not signed in as well."""
    bp, schema = Blueprint("client_room_summary", __name__), SummaryQuery()

    def summary(room: str) -> dict[str, Any]:
        requester = gate.find_requester(request)
        if not is_room_id(room) and not is_room_alias(room):
            raise InvalidParam(f"{room[:300]!r} is neither a room id nor an alias.")
        query = load_query(schema, request)
        via = [ServerName(server) for server in (*query["via"], *query["server_name"])]
        return summaries.get(requester, room, via)

    @bp.get("/_matrix/client/v1/room_summary/<room_id_or_alias>")
    def get_room_summary(room_id_or_alias: str) -> ResponseReturnValue:
        """What a room is."""
        return json_reply(summary(room_id_or_alias))

    @bp.get("/_matrix/client/unstable/im.nheko.summary/summary/<room_id_or_alias>")
    @bp.get("/_matrix/client/unstable/im.nheko.summary/rooms/<room_id_or_alias>/summary", endpoint="of_room")
    def get_unstable_room_summary(room_id_or_alias: str) -> ResponseReturnValue:
        """What a room is, under older names as well."""
        found = summary(room_id_or_alias)
        older = {f"im.nheko.summary.{name}": found[name] for name in _OLDER_NAMES if name in found}
        return json_reply({**found, **older})

    return bp
