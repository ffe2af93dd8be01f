"""Which servers this one talks to, for clients that would show it: Synapse's endpoint, off unless configured."""

from __future__ import annotations

from collections.abc import Collection

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from core.web.gate import Gate
from core.web.schemas import json_reply


def blueprint(allowed: Collection[str] | None, gate: Gate) -> Blueprint:
    """`allowed` is None where there is no list, and everybody may be talked to."""
    bp = Blueprint("client_federation_whitelist", __name__)

    @bp.get("/_synapse/client/v1/config/federation_whitelist")
    def get_whitelist() -> ResponseReturnValue:
        """The list, for those who sign in."""
        gate.authenticate(request)
        return json_reply({"whitelist_enabled": allowed is not None, "whitelist": list(allowed or ())})

    return bp
