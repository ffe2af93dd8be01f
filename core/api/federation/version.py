"""What software this is. Spec: Server-Server API, "Server implementation"."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from flask import Blueprint
from flask.typing import ResponseReturnValue

from core.web.replies import json_reply

NAME = "Trellis"


def blueprint() -> Blueprint:
    """The version, to anybody."""
    bp = Blueprint("federation_version", __name__)
    answer = {"server": {"name": NAME, "version": software_version()}}

    @bp.get("/_matrix/federation/v1/version")
    def get_version() -> ResponseReturnValue:
        """Name and version."""
        return json_reply(answer)

    return bp


def software_version() -> str:
    """The installed release; "0" where the source is run without being installed."""
    try:
        return version("trellis-homeserver")
    except PackageNotFoundError:
        return "0"
