"""Where group calls are relayed. Spec: MSC4143, under its unstable name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from core.web.gate import Gate
from core.web.schemas import json_reply


def blueprint(transports: Sequence[Mapping[str, Any]], gate: Gate) -> Blueprint:
    """The transports that the configuration lists."""
    bp = Blueprint("client_rtc_transports", __name__)
    answer = {"rtc_transports": [dict(transport) for transport in transports]}

    @bp.get("/_matrix/client/unstable/org.matrix.msc4143/rtc/transports")
    def get_rtc_transports() -> ResponseReturnValue:
        """The transports, most wanted first."""
        gate.authenticate(request, allow_guest=True)
        return json_reply(answer)

    return bp
