"""Filters. Spec: Client-Server API, "Filtering"."""

from __future__ import annotations

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from core.accounts.filters import Filters
from core.ids import UserId
from core.web.gate import Gate
from core.web.json_body import read_object
from core.web.schemas import json_reply

MAX_FILTER_BYTES = 131_072
"""Largest filter; an id is 255 bytes at most, so some hundred rooms or users fit."""


def blueprint(filters: Filters, gate: Gate) -> Blueprint:
    """Storing filters, and reading them back."""
    bp = Blueprint("client_filter", __name__)

    @bp.post("/_matrix/client/v3/user/<user_id>/filter")
    def post_filter(user_id: str) -> ResponseReturnValue:
        """Store a filter."""
        requester = gate.authenticate(request, allow_guest=True)
        body = read_object(request, MAX_FILTER_BYTES)
        return json_reply({"filter_id": filters.add(requester, UserId(user_id), body)})

    @bp.get("/_matrix/client/v3/user/<user_id>/filter/<filter_id>")
    def get_filter(user_id: str, filter_id: str) -> ResponseReturnValue:
        """A stored filter."""
        requester = gate.authenticate(request, allow_guest=True)
        return json_reply(filters.get(requester, UserId(user_id), filter_id))

    return bp
