"""`/sync`. Spec: Client-Server API, "Syncing"."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from marshmallow.validate import OneOf

from core.sync.asking import STATE, SyncRequest
from core.sync.filters import SyncFilters
from core.sync.service import SyncService
from core.sync.tokens import SyncToken
from core.web.edge import WAITED_KEY
from core.web.gate import Gate
from core.web.schemas import JsonSchema, QueryBool, QueryInt, QueryString, json_reply, load_query

UNSTABLE_STATE_AFTER = "org.matrix.msc4222.state_after"


class SyncQuery(JsonSchema):
    """The query parameters of a sync."""

    filter = QueryString(load_default=None)
    since = QueryString(load_default="")
    full_state = QueryBool(load_default=False)
    set_presence = QueryString(load_default="online", validate=OneOf(("offline", "online", "unavailable")))
    timeout_ms = QueryInt(data_key="timeout", load_default=0)
    use_state_after = QueryBool(load_default=False)
    use_unstable_state_after = QueryBool(data_key="org.matrix.msc4222.use_state_after", load_default=False)


def blueprint(sync: SyncService, filters: SyncFilters, gate: Gate) -> Blueprint:
    """The sync endpoint."""
    bp, query = Blueprint("client_sync", __name__), SyncQuery()

    @bp.get("/_matrix/client/v3/sync")
    def get_sync() -> ResponseReturnValue:
        """What is new since a token."""
        requester = gate.authenticate(request, allow_guest=True)
        values = load_query(query, request)
        asked = SyncRequest(
            requester=requester,
            filter=filters.find(requester.user_nid, values["filter"]),
            since=SyncToken.parse(values["since"]) if values["since"] else None,
            timeout_ms=max(0, values["timeout_ms"]),
            full_state=values["full_state"],
            state_key=_state_key(values),
        )
        reply = sync.sync(asked)
        request.environ[WAITED_KEY] = reply.waited_s
        return json_reply(reply.body)

    return bp


def _state_key(values: dict[str, Any]) -> str:
    """Under which name the client wants the state."""
    if values["use_state_after"]:
        return "state_after"
    return UNSTABLE_STATE_AFTER if values["use_unstable_state_after"] else STATE
