"""Subscriptions to threads. Spec: MSC4306 and MSC4308, under their unstable names."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from marshmallow.validate import OneOf, Range

from core.ids import EventId, Position, RoomId
from core.rooms.thread_subscriptions import ThreadSubscriptions
from core.sync.thread_subscriptions import MOST, ThreadSubscriptionSection
from core.web.gate import Gate
from core.web.schemas import Empty, EventIdField, JsonSchema, QueryInt, QueryString, dump, json_reply, load, load_query

_PATH = "/_matrix/client/unstable/io.element.msc4306/rooms/<room_id>/thread/<root_id>/subscription"


class SubscribeBody(JsonSchema):
    """The event that made the client subscribe by itself, where that was the reason."""

    automatic = EventIdField(load_default=None)


class ListQuery(JsonSchema):
    """Which part of the list."""

    direction = QueryString(data_key="dir", load_default="b", validate=OneOf(["b"]))
    start = QueryInt(data_key="from", load_default=None, validate=Range(min=0))
    stop = QueryInt(data_key="to", load_default=0, validate=Range(min=0))
    limit = QueryInt(load_default=MOST, validate=Range(min=1))


def blueprint(
    subscriptions: ThreadSubscriptions, section: ThreadSubscriptionSection, position: Callable[[], Position], gate: Gate
) -> Blueprint:
    """Setting, reading and listing subscriptions."""
    bp, body, query = Blueprint("client_thread_subscriptions", __name__), SubscribeBody(), ListQuery()

    @bp.get(_PATH)
    def get_subscription(room_id: str, root_id: str) -> ResponseReturnValue:
        """The subscription to one thread."""
        requester = gate.authenticate(request)
        found = subscriptions.get(requester, RoomId(room_id), EventId(root_id))
        return json_reply({"automatic": found.is_automatic})

    @bp.put(_PATH)
    def put_subscription(room_id: str, root_id: str) -> ResponseReturnValue:
        """Subscribe."""
        requester = gate.authenticate(request)
        cause = load(body, request)["automatic"]
        subscriptions.subscribe(requester, RoomId(room_id), EventId(root_id), cause)
        return dump(Empty, {})

    @bp.delete(_PATH)
    def delete_subscription(room_id: str, root_id: str) -> ResponseReturnValue:
        """Unsubscribe."""
        requester = gate.authenticate(request)
        subscriptions.unsubscribe(requester, RoomId(room_id), EventId(root_id))
        return dump(Empty, {})

    @bp.get("/_matrix/client/unstable/io.element.msc4308/thread_subscriptions")
    def list_subscriptions() -> ResponseReturnValue:
        """What changed, newest first, page by page."""
        requester = gate.authenticate(request)
        asked = load_query(query, request)
        upto = position() if asked["start"] is None else asked["start"]
        shown, more = section.page(requester.user_nid, asked["stop"], upto, min(asked["limit"], MOST))
        return json_reply(shown if more is None else {**shown, "end": str(more)})

    return bp
