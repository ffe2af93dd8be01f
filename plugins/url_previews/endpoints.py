"""The endpoints of previews, of which one is older. Spec: Client-Server API, "Content repository"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from flask import Blueprint, Response, jsonify, request

from core.hooks import InvalidParam, MissingParam, PluginApi, Requester


class Actions(Protocol):
    """What the endpoints do; plugins.url_previews.plugin."""

    def preview(self, requester: Requester, link: str, ts: int | None) -> Mapping[str, Any]:
        """The preview of a link."""


def blueprint(api: PluginApi, actions: Actions) -> Blueprint:
    """Previews, for those who are signed in."""
    bp = Blueprint("plugin_url_previews", __name__)

    @bp.get("/_matrix/client/v1/media/preview_url")
    @bp.get("/_matrix/media/v3/preview_url")
    def get_url_preview() -> Response:
        """What a link leads to."""
        requester = api.gate.authenticate(request)
        link, ts = request.args.get("url"), request.args.get("ts")
        if not link:
            raise MissingParam("'url' is required: the link that a preview is asked of.")
        if ts is not None and not (ts.isascii() and ts.isdigit() and len(ts) < 19):
            raise InvalidParam("'ts' must be a time in milliseconds.")
        answer = jsonify(actions.preview(requester, link, None if ts is None else int(ts)))
        answer.headers["Cache-Control"] = "private, max-age=3600"
        return answer

    return bp
