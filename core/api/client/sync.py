"""`/sync`. Spec: Client-Server API, "Syncing"."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any
from urllib.parse import unquote_plus

from flask import Blueprint, Request
from marshmallow.validate import OneOf

from core.sync.activity import Activity
from core.sync.asking import STATE, SyncRequest
from core.sync.filters import SyncFilters
from core.sync.service import SyncService
from core.sync.tokens import SyncToken
from core.web.connections import WAITED_KEY
from core.web.direct import direct
from core.web.gate import Gate
from core.web.schemas import JsonSchema, QueryBool, QueryInt, QueryString, load_query

UNSTABLE_STATE_AFTER = "org.matrix.msc4222.state_after"
REMEMBERED_QUERIES = 2_000
"""So many queries are remembered, of at most REMEMBERED_CHARACTERS each."""
REMEMBERED_CHARACTERS = 4_000


class SyncQuery(JsonSchema):
    """The query parameters of a sync."""

    filter = QueryString(load_default=None)
    since = QueryString(load_default="")
    full_state = QueryBool(load_default=False)
    set_presence = QueryString(load_default="online", validate=OneOf(("offline", "online", "unavailable")))
    timeout_ms = QueryInt(data_key="timeout", load_default=0)
    use_state_after = QueryBool(load_default=False)
    use_unstable_state_after = QueryBool(data_key="org.matrix.msc4222.use_state_after", load_default=False)


class RepeatedQueries:
    """Reads queries. A client sends the same again and again but for `moving`, so the rest is checked once."""

    def __init__(self, schema: JsonSchema | None = None, moving: str = "since") -> None:
        self._schema = schema or SyncQuery()
        self._moving = moving
        self._start = f"{moving}="
        self._known: OrderedDict[str, dict[str, Any]] = OrderedDict()

    def load(self, asked: Request) -> tuple[dict[str, Any], str]:
        """(the checked parameters, the moving one, '' without). Raises InvalidParam."""
        start = self._start
        parts = asked.environ.get("QUERY_STRING", "").split("&")
        rest = "&".join([part for part in parts if not part.startswith(start)])
        given = [part for part in parts if part.startswith(start)]
        moving = unquote_plus(given[0][len(start) :]) if given else ""
        known = self._known.get(rest)
        if known is not None:
            return known, moving
        values = load_query(self._schema, asked)
        if values[self._moving] == moving and len(rest) <= REMEMBERED_CHARACTERS:
            self._known[rest] = values
            if len(self._known) > REMEMBERED_QUERIES:
                self._known.popitem(last=False)
        return values, values[self._moving]


def blueprint(sync: SyncService, filters: SyncFilters, activity: Activity, gate: Gate) -> Blueprint:
    """The sync endpoint."""
    bp, queries = Blueprint("client_sync", __name__), RepeatedQueries()

    @bp.get("/_matrix/client/v3/sync")
    @direct
    def get_sync(asked: Request) -> bytes:
        """What is new since a token."""
        requester = gate.authenticate(asked, allow_guest=True)
        values, since = queries.load(asked)
        wanted = SyncRequest(
            requester=requester,
            filter=filters.find(requester.user_nid, values["filter"]),
            since=SyncToken.parse(since) if since else None,
            timeout_ms=max(0, values["timeout_ms"]),
            full_state=values["full_state"],
            state_key=_state_key(values),
        )
        activity.note(requester, values["set_presence"])
        reply = sync.sync(wanted)
        asked.environ[WAITED_KEY] = reply.waited_s
        return reply.body

    return bp


def _state_key(values: dict[str, Any]) -> str:
    """Under which name the client wants the state."""
    if values["use_state_after"]:
        return "state_after"
    return UNSTABLE_STATE_AFTER if values["use_unstable_state_after"] else STATE
