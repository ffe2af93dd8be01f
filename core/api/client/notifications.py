"""Listing notifications. Spec: Client-Server API, "Listing Notifications"."""

from __future__ import annotations

import orjson
from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from marshmallow.validate import Range

from core.graph.client_events import Viewer
from core.push.notifications import Notifications
from core.web.gate import Gate
from core.web.schemas import JsonSchema, QueryInt, QueryString, json_reply, load_query

DEFAULT_LIMIT = 50


class NotificationsQuery(JsonSchema):
    """From where, how many, of which sort."""

    start = QueryString(data_key="from", load_default=None)
    limit = QueryInt(load_default=DEFAULT_LIMIT, validate=Range(min=1))
    sort = QueryString(data_key="only", load_default=None)


def blueprint(notifications: Notifications, gate: Gate) -> Blueprint:
    """The caller's notifications."""
    bp, query_schema = Blueprint("client_notifications", __name__), NotificationsQuery()

    @bp.get("/_matrix/client/v3/notifications")
    def get_notifications() -> ResponseReturnValue:
        """A page of what notified the caller, newest first."""
        requester = gate.authenticate(request)
        query = load_query(query_schema, request)
        viewer = Viewer(requester.user_nid, requester.user_id, requester.device_id or "")
        page = notifications.page(viewer, query["start"] or None, query["limit"], query["sort"] == "highlight")
        token = b"" if page.next_token is None else b',"next_token":%b' % orjson.dumps(page.next_token)
        return json_reply(b'{"notifications":[%b]%b}' % (b",".join(page.notifications), token))

    return bp
