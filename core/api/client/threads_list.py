"""The threads of a room. Spec: Client-Server API, "Querying threads in a room"."""

from __future__ import annotations

import orjson
from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from marshmallow.validate import OneOf, Range

from core.ids import RoomId
from core.rooms.threads import Threads
from core.web.gate import Gate
from core.web.schemas import JsonSchema, QueryInt, QueryString, json_reply, load_query

DEFAULT_LIMIT = 20


class ThreadsQuery(JsonSchema):
    """Which threads, from where on, how many."""

    include = QueryString(load_default="all", validate=OneOf(["all", "participated"]))
    start = QueryString(data_key="from", load_default=None)
    limit = QueryInt(load_default=DEFAULT_LIMIT, validate=Range(min=1))


def blueprint(threads: Threads, gate: Gate) -> Blueprint:
    """The list of threads."""
    bp, schema = Blueprint("client_threads_list", __name__), ThreadsQuery()

    @bp.get("/_matrix/client/v1/rooms/<room_id>/threads")
    @bp.get("/_matrix/client/unstable/org.matrix.msc3856/rooms/<room_id>/threads", endpoint="unstable")
    def get_thread_roots(room_id: str) -> ResponseReturnValue:
        """A page of thread roots."""
        requester = gate.authenticate(request)
        query = load_query(schema, request)
        page = threads.page(
            requester, RoomId(room_id), query["include"] == "participated", query["start"], query["limit"]
        )
        body = [b'{"chunk":[', b",".join(page.roots), b"]"]
        if page.next_batch is not None:
            body += [b',"next_batch":', orjson.dumps(page.next_batch)]
        return json_reply(b"".join([*body, b"}"]))

    return bp
