"""Searching on the server: an index of messages, names and topics that follows the log.

Spec: Client-Server API, "Server Side Search".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from core.hooks import (
    BadJson,
    Consumer,
    EventId,
    Forbidden,
    InvalidParam,
    LogKind,
    LogLine,
    PluginApi,
    PluginError,
    TableSet,
    hookimpl,
)
from plugins.message_search.criteria import Batch, read_criteria
from plugins.message_search.searching import Searching, searched_text
from plugins.message_search.tables import TABLES, Message, SearchTables
from plugins.message_search.words import index_text

CONSUMER = "messages"
SETTLE_SECONDS = 0.2
CATCH_UP_SECONDS = 2.0
MOST_CHARACTERS = 20_000
"""How much of a message is searched."""
MAX_BODY_BYTES = 262_144


class MessageSearch:
    """The plugin."""

    def __init__(self, config: Mapping[str, Any], api: PluginApi) -> None:
        if set(config) - {"enabled"} or not isinstance(config.get("enabled", True), bool):
            raise PluginError("message_search has one setting, enabled, which is true or false.")
        self._is_enabled = config.get("enabled", True)
        self._api = api
        self._tables = SearchTables(api)
        self._searching = Searching(api, self._tables)

    @hookimpl
    def contribute_tables(self) -> list[TableSet]:
        """The index."""
        return [TABLES]

    @hookimpl
    def contribute_consumers(self) -> list[Consumer]:
        """The follower that keeps the index, from the first message on."""
        if not self._is_enabled:
            return []
        kinds = frozenset({LogKind.EVENT, LogKind.BACKFILL})
        return [Consumer(CONSUMER, kinds, self.follow, from_start=True, settle_seconds=SETTLE_SECONDS, may_repeat=True)]

    @hookimpl
    def contribute_blueprints(self) -> list[Blueprint]:
        """The endpoint."""
        bp = Blueprint("plugin_message_search", __name__)

        @bp.post("/_matrix/client/v3/search")
        def search() -> ResponseReturnValue:
            """The messages that a term finds."""
            requester = self._api.gate.authenticate(request)
            if not self._is_enabled:
                raise Forbidden("Searching messages is turned off on this server.")
            criteria = read_criteria(_body())
            token = request.args.get("next_batch")
            batch = Batch.parse(token) if token else None
            if criteria is None:
                return jsonify({"search_categories": {}})
            self._api.catch_up(CONSUMER, CATCH_UP_SECONDS)
            answer = self._searching.answer(requester.user_id, criteria, batch)
            return jsonify({"search_categories": {"room_events": answer}})

        return [bp]

    def follow(self, lines: Sequence[LogLine]) -> None:
        """Take new messages in, and redacted ones out."""
        added: dict[EventId, Message] = {}
        redacted: list[EventId] = []
        for line in lines:
            event = line.event
            if event is None:
                continue
            if event.type == "m.room.redaction":
                redacted += [] if event.redacts is None else [event.redacts]
            found = searched_text(event.type, event.content)
            if found is not None and (tokens := index_text(found[1][:MOST_CHARACTERS])):
                number = line.position if line.kind is LogKind.EVENT else -line.position
                added[event.event_id] = Message(number, event.event_id, event.room_id, event.sender, found[0], tokens)
        removed = self._thinned(redacted)
        for event_id in removed:
            added.pop(event_id, None)
        if added or removed:
            self._tables.change(list(added.values()), removed)

    def _thinned(self, targets: Sequence[EventId]) -> list[EventId]:
        """Those of the targets of redactions that say nothing any more."""
        events = self._api.rooms.events(targets) if targets else {}
        return [one for one, event in events.items() if searched_text(event.type, event.content) is None]


def _body() -> Any:
    if (request.content_length or 0) > MAX_BODY_BYTES:
        raise InvalidParam(f"The body may have at most {MAX_BODY_BYTES} bytes.")
    body = request.get_json(force=True, silent=True)
    if not isinstance(body, dict):
        raise BadJson("The body must be a JSON object.")
    return body
