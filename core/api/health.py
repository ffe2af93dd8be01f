"""`/health`: whether this process answers at all, for load balancers and service managers."""

from __future__ import annotations

from flask import Blueprint, Response
from flask.typing import ResponseReturnValue


def blueprint() -> Blueprint:
    """The health check. It needs no database, so that a slow one does not get the server restarted."""
    bp = Blueprint("health", __name__)

    @bp.get("/health")
    def get_health() -> ResponseReturnValue:
        """Say OK."""
        return Response("OK", 200, [("Content-Type", "text/plain; charset=utf-8")])

    return bp
