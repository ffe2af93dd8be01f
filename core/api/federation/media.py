"""Media for other servers: this server's own, in two parts. Spec: Server-Server API, "Content Repository"."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue

from core.api.federation.server_gate import ServerGate
from core.api.media_answers import MediaAnswers
from core.api.media_reply import FileReply
from core.web.schemas import load_query


def blueprint(answers: MediaAnswers, gate: ServerGate) -> Blueprint:
    """The endpoints."""
    bp = Blueprint("federation_media", __name__)

    @bp.get("/_matrix/federation/v1/media/download/<media_id>")
    def get_content(media_id: str) -> ResponseReturnValue:
        """A file of this server."""
        gate.authenticate(request)
        query = load_query(answers.download_query, request)
        media = answers.find_own(gate.server_name, media_id, query["timeout_ms"])
        return _in_parts(*answers.file_parts(media))

    @bp.get("/_matrix/federation/v1/media/thumbnail/<media_id>")
    def get_content_thumbnail(media_id: str) -> ResponseReturnValue:
        """A thumbnail of a file of this server."""
        gate.authenticate(request)
        query = answers.read_thumbnail_query(request)
        media = answers.find_own(gate.server_name, media_id, int(str(query["timeout_ms"])))
        return _in_parts(*answers.thumbnail_parts(media, query))

    return bp


def _in_parts(file: FileReply, pieces: Iterator[bytes]) -> Response:
    boundary = secrets.token_hex(16)
    head = (
        f"--{boundary}\r\nContent-Type: application/json\r\n\r\n{{}}\r\n--{boundary}\r\n"
        f"Content-Type: {file.content_type}\r\nContent-Disposition: {file.disposition}\r\n\r\n"
    ).encode("latin-1", "replace")
    tail = f"\r\n--{boundary}--\r\n".encode()

    def parts() -> Iterator[bytes]:
        yield head
        yield from pieces
        yield tail

    headers = [
        ("Content-Type", f"multipart/mixed; boundary={boundary}"),
        ("Content-Length", str(len(head) + file.size_bytes + len(tail))),
    ]
    return Response(parts(), 200, headers, direct_passthrough=True)
