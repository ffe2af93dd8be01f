"""Simplified sliding sync. Proposal: MSC4186."""

from __future__ import annotations

from collections import OrderedDict

from flask import Blueprint, Request, request
from flask.typing import ResponseReturnValue
from marshmallow.validate import OneOf

from core.api.client.sync import RepeatedQueries
from core.errors import BadJson
from core.sync.activity import Activity
from core.sync.sliding.request import SlidingBody, parse_body
from core.sync.sliding.service import SlidingRequest, SlidingService
from core.web.connections import WAITED_KEY
from core.web.gate import Gate
from core.web.json_body import parse_json, read_body
from core.web.schemas import JsonSchema, QueryInt, QueryString, json_reply

REMEMBERED_BODIES = 2_000
"""So many bodies are remembered, of at most REMEMBERED_BYTES each."""
REMEMBERED_BYTES = 8_000


class SlidingQuery(JsonSchema):
    """The query parameters."""

    pos = QueryString(load_default="")
    timeout_ms = QueryInt(data_key="timeout", load_default=0)
    set_presence = QueryString(load_default="online", validate=OneOf(("offline", "online", "unavailable")))


class RepeatedBodies:
    """Reads bodies. Clients send the same again and again, which is checked once."""

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, SlidingBody] = OrderedDict()

    def load(self, asked: Request) -> SlidingBody:
        """The checked body. Raises: `TooLarge`, `NotJson`, `BadJson`, `InvalidParam`."""
        raw = read_body(asked)
        known = self._known.get(raw)
        if known is not None:
            return known
        given = parse_json(raw) if raw.strip() else {}
        if not isinstance(given, dict):
            raise BadJson("The body must be a JSON object.")
        body = parse_body(given)
        if len(raw) <= REMEMBERED_BYTES:
            self._known[raw] = body
            if len(self._known) > REMEMBERED_BODIES:
                self._known.popitem(last=False)
        return body


def blueprint(sync: SlidingService, activity: Activity, gate: Gate) -> Blueprint:
    """The endpoint."""
    bp, bodies = Blueprint("client_sliding_sync", __name__), RepeatedBodies()
    queries = RepeatedQueries(SlidingQuery(), "pos")

    @bp.post("/_matrix/client/unstable/org.matrix.simplified_msc3575/sync")
    def post_sliding_sync() -> ResponseReturnValue:
        """What is new in the rooms that a client looks at."""
        requester = gate.authenticate(request, allow_guest=True)
        asked, pos = queries.load(request)
        body = bodies.load(request)
        activity.note(requester, asked["set_presence"])
        reply = sync.sync(SlidingRequest(requester, body, pos, asked["timeout_ms"]))
        request.environ[WAITED_KEY] = reply.waited_s
        return json_reply(reply.body)

    return bp
