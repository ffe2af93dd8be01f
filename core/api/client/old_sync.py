"""What clients used before `/sync`, and still use to peek: the event stream, the initial sync, an event by its id alone.

Spec: Client-Server API, "Syncing" (deprecated endpoints) and "Room Previews".
"""

from __future__ import annotations

import orjson
from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from marshmallow.validate import Range

from core.errors import NotFound
from core.graph.events import EventReader
from core.ids import EventId, RoomId
from core.rooms.event_stream import EventStream
from core.rooms.initial_sync import InitialSync
from core.rooms.reading import Reading
from core.web.connections import WAITED_KEY
from core.web.gate import Gate
from core.web.schemas import JsonSchema, QueryBool, QueryInt, QueryString, RoomIdField, json_reply, load_query

DEFAULT_TIMEOUT_MS = 30_000


class EventsQuery(JsonSchema):
    """From where on, how long to wait, and of which room; of all one is in without."""

    start = QueryString(data_key="from", load_default=None)
    timeout_ms = QueryInt(data_key="timeout", load_default=DEFAULT_TIMEOUT_MS, validate=Range(min=0))
    room_id = RoomIdField(load_default=None)


class InitialSyncQuery(JsonSchema):
    """How many messages of each room, and whether rooms that were left are wanted."""

    limit = QueryInt(load_default=10, validate=Range(min=0))
    archived = QueryBool(load_default=False)


def blueprint(
    stream: EventStream, snapshots: InitialSync, reading: Reading, events: EventReader, gate: Gate
) -> Blueprint:
    """The endpoints from before `/sync`."""
    bp, events_query, snapshot_query = Blueprint("client_old_sync", __name__), EventsQuery(), InitialSyncQuery()

    @bp.get("/_matrix/client/v3/events")
    def get_events() -> ResponseReturnValue:
        """New events, of one room or of all."""
        requester = gate.authenticate(request, allow_guest=True)
        query = load_query(events_query, request)
        room_id = None if query["room_id"] is None else RoomId(query["room_id"])
        part = stream.read(requester, query["start"] or None, query["timeout_ms"] / 1000, room_id)
        request.environ[WAITED_KEY] = part.waited_s
        return json_reply(
            b'{"chunk":[%b],"start":%b,"end":%b}'
            % (b",".join(part.events), orjson.dumps(part.start), orjson.dumps(part.end))
        )

    @bp.get("/_matrix/client/v3/initialSync")
    def initial_sync() -> ResponseReturnValue:
        """The whole account."""
        requester = gate.authenticate(request)
        query = load_query(snapshot_query, request)
        return json_reply(snapshots.all(requester, query["limit"], query["archived"]))

    @bp.get("/_matrix/client/v3/events/<event_id>")
    def get_one_event(event_id: str) -> ResponseReturnValue:
        """An event by its id alone."""
        requester = gate.authenticate(request)
        stored = events.by_id(EventId(event_id))
        if stored is None:
            raise NotFound(f"There is no event {event_id}, or you may not see it.")
        stored = reading.event(requester, stored.room_id, stored.event_id)
        return json_reply(reading.render_one(requester, stored))

    return bp
