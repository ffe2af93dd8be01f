"""Events, states and history of rooms, for servers in them.

Spec: Server-Server API, "Backfilling and retrieving missing events", "Retrieving events".
"""

from __future__ import annotations

import time

import orjson
from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from marshmallow.validate import OneOf, Range

from core.api.federation.server_gate import ServerGate
from core.federation.auth_chains import json_list
from core.federation.serving import Serving
from core.ids import EventId, RoomId
from core.web.schemas import (
    EventIdField,
    JsonInt,
    JsonList,
    JsonSchema,
    QueryInt,
    QueryString,
    QueryStrings,
    json_reply,
    load_object,
    load_query,
)

_V1 = "/_matrix/federation/v1"


class AtEvent(JsonSchema):
    """The event before which the state is asked for."""

    event_id = EventIdField(required=True)


class BackfillQuery(JsonSchema):
    """From which events, and how many."""

    v = QueryStrings(required=True)
    limit = QueryInt(required=True, validate=Range(min=1))


class TimeQuery(JsonSchema):
    """Which time, and in which direction."""

    ts = QueryInt(required=True)
    dir = QueryString(required=True, validate=OneOf(["f", "b"]))


class MissingBody(JsonSchema):
    """What the server has, and how much it wants of what is between."""

    latest_events = JsonList(EventIdField(), required=True)
    earliest_events = JsonList(EventIdField(), required=True)
    limit = JsonInt(load_default=10, validate=Range(min=1))
    min_depth = JsonInt(load_default=0)


def blueprint(serving: Serving, gate: ServerGate) -> Blueprint:
    """Reading endpoints."""
    bp, at_event, backfill_query = Blueprint("federation_room_events", __name__), AtEvent(), BackfillQuery()
    time_query, missing_body = TimeQuery(), MissingBody()

    @bp.get(f"{_V1}/event/<event_id>")
    def get_event(event_id: str) -> ResponseReturnValue:
        """One event."""
        origin = gate.authenticate(request)
        return _transaction([serving.event(origin, EventId(event_id))])

    @bp.get(f"{_V1}/state/<room_id>")
    def get_room_state(room_id: str) -> ResponseReturnValue:
        """The state before an event, and its auth chain."""
        origin = gate.authenticate(request)
        event_id = load_query(at_event, request)["event_id"]
        state, chain = serving.state(origin, RoomId(room_id), EventId(event_id))
        return json_reply(b'{"auth_chain":%b,"pdus":%b}' % (json_list(chain), json_list(state)))

    @bp.get(f"{_V1}/state_ids/<room_id>")
    def get_room_state_ids(room_id: str) -> ResponseReturnValue:
        """The same by id."""
        origin = gate.authenticate(request)
        event_id = load_query(at_event, request)["event_id"]
        state, chain = serving.state(origin, RoomId(room_id), EventId(event_id))
        ids = [[stored.event_id for stored in part] for part in (chain, state)]
        return json_reply({"auth_chain_ids": ids[0], "pdu_ids": ids[1]})

    @bp.get(f"{_V1}/event_auth/<room_id>/<event_id>")
    def get_event_auth(room_id: str, event_id: str) -> ResponseReturnValue:
        """The auth chain of an event."""
        origin = gate.authenticate(request)
        chain = serving.event_auth(origin, RoomId(room_id), EventId(event_id))
        return json_reply(b'{"auth_chain":%b}' % json_list(chain))

    @bp.get(f"{_V1}/backfill/<room_id>")
    def backfill(room_id: str) -> ResponseReturnValue:
        """Events and what came before them."""
        origin = gate.authenticate(request)
        asked = load_query(backfill_query, request)
        ids = [EventId(one) for one in asked["v"]]
        return _transaction(serving.backfill(origin, RoomId(room_id), ids, asked["limit"]))

    @bp.post(f"{_V1}/get_missing_events/<room_id>")
    def get_missing_events(room_id: str) -> ResponseReturnValue:
        """What lies between events that the server has."""
        origin, content = gate.read(request)
        asked = load_object(missing_body, content)
        found = serving.missing_events(
            origin,
            RoomId(room_id),
            asked["latest_events"],
            asked["earliest_events"],
            asked["limit"],
            asked["min_depth"],
        )
        return json_reply(b'{"events":[%b]}' % b",".join(found))

    @bp.get(f"{_V1}/timestamp_to_event/<room_id>")
    def timestamp_to_event(room_id: str) -> ResponseReturnValue:
        """The event nearest to a time."""
        origin = gate.authenticate(request)
        asked = load_query(time_query, request)
        stored = serving.nearest(origin, RoomId(room_id), asked["ts"], asked["dir"] == "b")
        return json_reply({"event_id": stored.event_id, "origin_server_ts": stored.origin_server_ts})

    def _transaction(pdus: list[bytes]) -> ResponseReturnValue:
        now, origin = int(time.time() * 1000), orjson.dumps(gate.server_name)
        return json_reply(b'{"origin":%b,"origin_server_ts":%d,"pdus":[%b]}' % (origin, now, b",".join(pdus)))

    return bp
