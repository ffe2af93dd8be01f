"""Delayed events: scheduling, listing and managing them. Spec: MSC4140, under its unstable names.

Scheduling goes through the ordinary `send` and `state` paths with a `delay` in the query, or through a path of its own.
Managing is by a body that names the action, or by a path that does; both need no token, since the id is a secret.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, Request, request
from flask.typing import ResponseReturnValue
from marshmallow.validate import Range

from core.errors import InvalidParam, MissingParam
from core.ids import RoomId
from core.rooms.delayed_events import DelayedEvents
from core.web.gate import Gate, access_token, client_address
from core.web.schemas import (
    Empty,
    JsonInt,
    JsonObject,
    JsonSchema,
    JsonString,
    QueryInt,
    dump,
    json_reply,
    load,
    load_query,
    read_json,
)

PREFIX = "/_matrix/client/unstable/org.matrix.msc4140"
_NOT_NEGATIVE = Range(min=0, error="must not be negative")


class DelayQuery(JsonSchema):
    """The delay among the parameters of a `send` or `state` request, in milliseconds."""

    delay_ms = QueryInt(data_key="org.matrix.msc4140.delay", load_default=None, validate=_NOT_NEGATIVE)


class DelayedBody(JsonSchema):
    """An event to be sent later."""

    delay_ms = JsonInt(data_key="delay", required=True, validate=_NOT_NEGATIVE)
    state_key = JsonString(load_default=None)
    content = JsonObject(required=True)


_delay_query = DelayQuery()


def asked_delay_ms(asked: Request) -> int | None:
    """The delay that a `send` or `state` request asks for. Raises InvalidParam."""
    if "msc4140" not in asked.environ.get("QUERY_STRING", ""):
        return None
    delay_ms: int | None = load_query(_delay_query, asked)["delay_ms"]
    return delay_ms


def blueprint(delayed: DelayedEvents, gate: Gate) -> Blueprint:
    """Delayed events."""
    bp, body = Blueprint("client_delayed_events", __name__), DelayedBody()
    actions: Mapping[str, Callable[[str], None]] = {
        "cancel": delayed.cancel,
        "restart": delayed.restart,
        "send": delayed.send,
    }

    def act(delay_id: str, action: Any) -> ResponseReturnValue:
        if not isinstance(action, str) or action not in actions:
            raise InvalidParam(f"The action must be one of {', '.join(actions)}.")
        who = client_address(request) if access_token(request) is None else gate.authenticate(request, allow_guest=True)
        gate.limit(who, "rc_delayed_event_mgmt")
        actions[action](delay_id)
        return dump(Empty, {})

    @bp.put(f"{PREFIX}/rooms/<room_id>/delayed_event/<event_type>/<txn_id>")
    def schedule_delayed_event(room_id: str, event_type: str, txn_id: str) -> ResponseReturnValue:
        """Schedule a message or state event."""
        requester = gate.authenticate(request, allow_guest=True)
        gate.limit(requester, "rc_message")
        asked = load(body, request)
        draft = (event_type, asked["state_key"], asked["content"])
        return json_reply({"delay_id": delayed.schedule(requester, RoomId(room_id), draft, asked["delay_ms"], txn_id)})

    @bp.get(f"{PREFIX}/delayed_events")
    def get_delayed_events() -> ResponseReturnValue:
        """Everything of the caller's that waits."""
        requester = gate.authenticate(request, allow_guest=True)
        return json_reply({"delayed_events": delayed.waiting(requester)})

    @bp.get(f"{PREFIX}/delayed_events/<delay_id>")
    def get_delayed_event(delay_id: str) -> ResponseReturnValue:
        """One of the caller's."""
        requester = gate.authenticate(request, allow_guest=True)
        return json_reply(delayed.get(requester, delay_id))

    @bp.post(f"{PREFIX}/delayed_events/<delay_id>")
    def update_delayed_event(delay_id: str) -> ResponseReturnValue:
        """Do what the body says."""
        asked = read_json(request)
        if "action" not in asked:
            raise MissingParam("'action' is required.")
        return act(delay_id, asked["action"])

    @bp.post(f"{PREFIX}/delayed_events/<delay_id>/<action>")
    def update_delayed_event_by_path(delay_id: str, action: str) -> ResponseReturnValue:
        """Do what the path says."""
        return act(delay_id, action)

    return bp
