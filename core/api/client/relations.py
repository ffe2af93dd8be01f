"""The events that relate to an event. Spec: Client-Server API, "Relationships API"."""

from __future__ import annotations

import orjson
from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from marshmallow.validate import OneOf, Range

from core.ids import EventId, RoomId
from core.rooms.paging import Paging
from core.rooms.relations import Relations
from core.web.gate import Gate
from core.web.schemas import JsonSchema, QueryBool, QueryInt, QueryString, json_reply, load_query

DEFAULT_LIMIT = 50


class RelationsQuery(JsonSchema):
    """From where to where, which way, how many, and whether what relates to the related counts."""

    start = QueryString(data_key="from", load_default=None)
    stop = QueryString(data_key="to", load_default=None)
    direction = QueryString(data_key="dir", load_default=None, validate=OneOf(["b", "f"]))
    unstable_direction = QueryString(data_key="org.matrix.msc3715.dir", load_default="b", validate=OneOf(["b", "f"]))
    limit = QueryInt(load_default=DEFAULT_LIMIT, validate=Range(min=1))
    recurse = QueryBool(load_default=None)
    unstable_recurse = QueryBool(data_key="org.matrix.msc3981.recurse", load_default=None)


def blueprint(relations: Relations, paging: Paging, gate: Gate) -> Blueprint:
    """Related events, of all types or of some; under `unstable` as well, where clients from before v1.3 look."""
    bp, schema = Blueprint("client_relations", __name__), RelationsQuery()

    def answer(room_id: str, event_id: str, rel_type: str | None, event_type: str | None) -> ResponseReturnValue:
        requester = gate.authenticate(request, allow_guest=True)
        query = load_query(schema, request)
        start, stop = (
            None if query[key] is None else paging.token(RoomId(room_id), query[key]) for key in ("start", "stop")
        )
        recurse = query["recurse"] if query["recurse"] is not None else query["unstable_recurse"]
        page = relations.page(
            requester,
            RoomId(room_id),
            EventId(event_id),
            rel_type,
            event_type,
            start,
            stop,
            (query["direction"] or query["unstable_direction"]) == "b",
            query["limit"],
            bool(recurse),
        )
        body = [b'{"chunk":[', b",".join(page.events), b"]"]
        if page.next_batch is not None:
            body += [b',"next_batch":', orjson.dumps(page.next_batch)]
        if query["start"] is not None:
            body += [b',"prev_batch":', orjson.dumps(query["start"])]
        if recurse is not None:
            body.append(b',"recursion_depth":%d' % (page.recursion_depth or 1))
        return json_reply(b"".join([*body, b"}"]))

    @bp.get("/_matrix/client/v1/rooms/<room_id>/relations/<event_id>")
    @bp.get("/_matrix/client/unstable/rooms/<room_id>/relations/<event_id>", endpoint="old_all")
    def get_relating_events(room_id: str, event_id: str) -> ResponseReturnValue:
        """What relates to an event."""
        return answer(room_id, event_id, None, None)

    @bp.get("/_matrix/client/v1/rooms/<room_id>/relations/<event_id>/<rel_type>")
    @bp.get("/_matrix/client/unstable/rooms/<room_id>/relations/<event_id>/<rel_type>", endpoint="old_one_way")
    def get_relating_events_with_rel_type(room_id: str, event_id: str, rel_type: str) -> ResponseReturnValue:
        """What relates to an event in one way."""
        return answer(room_id, event_id, rel_type, None)

    @bp.get("/_matrix/client/v1/rooms/<room_id>/relations/<event_id>/<rel_type>/<event_type>")
    @bp.get(
        "/_matrix/client/unstable/rooms/<room_id>/relations/<event_id>/<rel_type>/<event_type>", endpoint="old_type"
    )
    def get_relating_events_with_rel_type_and_event_type(
        room_id: str, event_id: str, rel_type: str, event_type: str
    ) -> ResponseReturnValue:
        """What relates to an event in one way, of one event type."""
        return answer(room_id, event_id, rel_type, event_type)

    return bp
