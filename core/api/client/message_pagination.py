"""Paging through history, and the surroundings of an event. Spec: Client-Server API, "Syncing", "Event Context"."""

from __future__ import annotations

import orjson
from flask import Blueprint, Request
from marshmallow.validate import OneOf, Range

from core.events.event_filter import parse_room_event_filter
from core.ids import EventId, RoomId
from core.rooms.paging import Paging
from core.web.direct import direct
from core.web.gate import Gate
from core.web.schemas import JsonSchema, QueryInt, QueryJson, QueryString, load_query


class MessagesQuery(JsonSchema):
    """From where to where, which way, how many."""

    start = QueryString(data_key="from", load_default=None)
    stop = QueryString(data_key="to", load_default=None)
    direction = QueryString(data_key="dir", required=True, validate=OneOf(["b", "f"]))
    limit = QueryInt(load_default=10, validate=Range(min=0))
    filter = QueryJson(load_default=dict)


class ContextQuery(JsonSchema):
    """How many events around."""

    limit = QueryInt(load_default=10, validate=Range(min=0))
    filter = QueryJson(load_default=dict)


def blueprint(paging: Paging, gate: Gate) -> Blueprint:
    """Pages of history."""
    bp, messages_query, context_query = (
        Blueprint("client_message_pagination", __name__),
        MessagesQuery(),
        ContextQuery(),
    )

    @bp.get("/_matrix/client/v3/rooms/<room_id>/messages")
    @direct
    def get_room_events(asked: Request, room_id: str) -> bytes:
        """A page of history."""
        requester = gate.authenticate(asked, allow_guest=True)
        query = load_query(messages_query, asked)
        start, stop = (paging.token(RoomId(room_id), query[key]) if query[key] else None for key in ("start", "stop"))
        wanted = parse_room_event_filter(query["filter"])
        chunk = paging.messages(
            requester, RoomId(room_id), start, stop, query["direction"] == "b", query["limit"], wanted
        )
        given = query["start"] or chunk.start  # which the answer must repeat as it was given
        answer = [b'{"chunk":[', b",".join(chunk.events), b'],"start":', orjson.dumps(given)]
        if chunk.end is not None:
            answer += [b',"end":', orjson.dumps(chunk.end)]
        if chunk.state:
            answer += [b',"state":[', b",".join(chunk.state), b"]"]
        return b"".join([*answer, b"}"])

    @bp.get("/_matrix/client/v3/rooms/<room_id>/context/<event_id>")
    @direct
    def get_event_context(asked: Request, room_id: str, event_id: str) -> bytes:
        """An event and what is around it."""
        requester = gate.authenticate(asked, allow_guest=True)
        query = load_query(context_query, asked)
        wanted = parse_room_event_filter(query["filter"])
        around = paging.context(requester, RoomId(room_id), EventId(event_id), query["limit"], wanted)
        return b'{"event":%b,"events_before":[%b],"events_after":[%b],"state":[%b],"start":%b,"end":%b}' % (
            around.event,
            b",".join(around.before),
            b",".join(around.after),
            b",".join(around.state),
            orjson.dumps(around.start),
            orjson.dumps(around.end),
        )

    return bp
