"""The endpoint of the user directory. Spec: Client-Server API, "User directory"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from core.hooks import BadJson, InvalidParam, PluginApi, UserId
from plugins.user_directory.tables import Entry

DEFAULT_LIMIT = 10
MOST_USERS = 50
MOST_CHARACTERS = 500
MAX_BODY_BYTES = 65_536


class Searching(Protocol):
    """What the endpoint does; plugins.user_directory.plugin."""

    def search(self, searcher: UserId, term: str, limit: int) -> tuple[Sequence[Entry], bool]:
        """(users, whether there are more)."""


def blueprint(api: PluginApi, directory: Searching) -> Blueprint:
    """Searching for users."""
    bp = Blueprint("plugin_user_directory", __name__)

    @bp.post("/_matrix/client/v3/user_directory/search")
    def search_user_directory() -> ResponseReturnValue:
        """The users that a term finds."""
        requester = api.gate.authenticate(request)
        api.gate.limit(requester, "rc_user_directory")
        term, limit = _asked()
        found, is_limited = directory.search(requester.user_id, term, limit)
        return jsonify({"results": [_shown(entry) for entry in found], "limited": is_limited})

    return bp


def _asked() -> tuple[str, int]:
    """(term, limit) of the body. Raises: BadJson, InvalidParam."""
    if (request.content_length or 0) > MAX_BODY_BYTES:
        raise InvalidParam(f"The body may have at most {MAX_BODY_BYTES} bytes.")
    body = request.get_json(force=True, silent=True)
    if not isinstance(body, dict):
        raise BadJson("The body must be a JSON object.")
    term, limit = body.get("search_term"), body.get("limit", DEFAULT_LIMIT)
    if not isinstance(term, str):
        raise BadJson("'search_term' is required and must be a string.")
    if type(limit) is not int or limit < 0:
        raise InvalidParam("'limit' must be an integer of at least 0.")
    return term[:MOST_CHARACTERS], min(limit, MOST_USERS)


def _shown(entry: Entry) -> dict[str, Any]:
    shown = {"user_id": entry.user_id, "display_name": entry.display_name, "avatar_url": entry.avatar_url}
    return {key: value for key, value in shown.items() if value is not None}
