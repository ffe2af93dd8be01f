"""Downloads and thumbnails for those who are signed in. Spec: Client-Server API, "Content repository"."""

from __future__ import annotations

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from core.api.media_answers import MediaAnswers, charging
from core.media.uploads import Uploads
from core.web.gate import Gate
from core.web.schemas import json_reply


def blueprint(answers: MediaAnswers, uploads: Uploads, gate: Gate) -> Blueprint:
    """The endpoints under /_matrix/client/v1/media."""
    bp = Blueprint("client_authed_content_repo", __name__)

    @bp.get("/_matrix/client/v1/media/download/<server_name>/<media_id>")
    @bp.get("/_matrix/client/v1/media/download/<server_name>/<media_id>/<file_name>")
    def get_content(server_name: str, media_id: str, file_name: str | None = None) -> ResponseReturnValue:
        """A file, under its own name or the one asked for."""
        charge = charging(gate, gate.authenticate(request, allow_guest=True))
        media = answers.find(request, server_name, media_id, charge)
        return answers.download(request, media, file_name, is_private=True)

    @bp.get("/_matrix/client/v1/media/thumbnail/<server_name>/<media_id>")
    def get_content_thumbnail(server_name: str, media_id: str) -> ResponseReturnValue:
        """A thumbnail of a file."""
        charge = charging(gate, gate.authenticate(request, allow_guest=True))
        query = answers.read_thumbnail_query(request)
        media = answers.find_for_thumbnail(server_name, media_id, query, charge)
        return answers.thumbnail(request, media, query, is_private=True)

    @bp.get("/_matrix/client/v1/media/config")
    def get_config() -> ResponseReturnValue:
        """What the caller may upload."""
        requester = gate.authenticate(request, allow_guest=True)
        return json_reply({"m.upload.size": uploads.largest(requester)})

    return bp
