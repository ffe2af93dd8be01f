"""Uploads, and the endpoints from before downloads needed an access token.

The latter are frozen where the configuration says so: they go on serving what was uploaded before. Spec: Client-Server
API, "Content repository".
"""

from __future__ import annotations

import orjson
from flask import Blueprint, Request, request
from flask.typing import ResponseReturnValue

from core.api.media_answers import MediaAnswers, charging
from core.errors import InvalidParam, NotFound
from core.media.downloads import Charge
from core.media.spool import Body
from core.media.uploads import Uploads
from core.storage.media import StoredMedia
from core.web.direct import direct
from core.web.gate import Gate, client_address
from core.web.schemas import Empty, dump, json_reply


def blueprint(answers: MediaAnswers, uploads: Uploads, gate: Gate, is_frozen: bool) -> Blueprint:
    """The endpoints under /_matrix/media."""
    bp = Blueprint("client_content_repo", __name__)
    _add_uploads(bp, uploads, gate)

    def check_open(media: StoredMedia) -> StoredMedia:
        if is_frozen and media.needs_auth:
            raise NotFound("This media is served at /_matrix/client/v1/media, to those who sign in.")
        return media

    def charge_of(asked: Request) -> Charge | None:
        return None if is_frozen else charging(gate, client_address(asked))

    @bp.get("/_matrix/media/v3/download/<server_name>/<media_id>")
    @bp.get("/_matrix/media/v3/download/<server_name>/<media_id>/<file_name>")
    def get_content(server_name: str, media_id: str, file_name: str | None = None) -> ResponseReturnValue:
        """A file from before the freeze."""
        media = check_open(answers.find(request, server_name, media_id, charge_of(request)))
        return answers.download(request, media, file_name, is_private=False)

    @bp.get("/_matrix/media/v3/thumbnail/<server_name>/<media_id>")
    def get_content_thumbnail(server_name: str, media_id: str) -> ResponseReturnValue:
        """A thumbnail of a file from before the freeze."""
        query = answers.read_thumbnail_query(request)
        media = check_open(answers.find_for_thumbnail(server_name, media_id, query, charge_of(request)))
        return answers.thumbnail(request, media, query, is_private=False)

    @bp.get("/_matrix/media/v3/config")
    def get_config() -> ResponseReturnValue:
        """What the caller may upload."""
        requester = gate.authenticate(request, allow_guest=True)
        return json_reply({"m.upload.size": uploads.largest(requester)})

    return bp


def _add_uploads(bp: Blueprint, uploads: Uploads, gate: Gate) -> None:
    @bp.post("/_matrix/media/v3/upload")
    @direct
    def upload_content(asked: Request) -> bytes:
        """Store a file."""
        requester = gate.authenticate(asked)
        uri = uploads.upload(requester, _body(asked), _content_type(asked), asked.args.get("filename"))
        return orjson.dumps({"content_uri": uri})

    @bp.put("/_matrix/media/v3/upload/<server_name>/<media_id>")
    def upload_content_to_mxc(server_name: str, media_id: str) -> ResponseReturnValue:
        """Give a reserved id its file."""
        requester = gate.authenticate(request)
        name = request.args.get("filename")
        uploads.fill(requester, server_name, media_id, _body(request), _content_type(request), name)
        return dump(Empty, {})

    @bp.post("/_matrix/media/v1/create")
    def create_content() -> ResponseReturnValue:
        """Reserve an id."""
        requester = gate.authenticate(request)
        gate.limit(requester, "rc_media_create")
        uri, expires_ms = uploads.create(requester)
        return json_reply({"content_uri": uri, "unused_expires_at": expires_ms})


def _content_type(request: Request) -> str | None:
    found: str | None = request.environ.get("CONTENT_TYPE")
    return found


def _body(request: Request) -> Body:
    """The body as a stream. A request without a length has none, unless it is chunked."""
    environ = request.environ
    announced = environ.get("CONTENT_LENGTH") or ""
    if announced and not (announced.isascii() and announced.isdigit()):
        raise InvalidParam("Content-Length must be a number of bytes.")
    if not announced and not environ.get("wsgi.input_terminated"):
        return Body(environ["wsgi.input"], 0)
    return Body(environ["wsgi.input"], int(announced) if announced else None)
