"""Media as administrators' consoles handle it, under Synapse's paths."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from core.errors import BadRequest, InvalidParam, NotFound
from core.ids import ServerName
from core.media.curation import Curation
from core.storage.interning import Interner
from core.storage.media import MediaStore, StoredMedia
from core.storage.media_files import MediaFileStore
from core.storage.media_references import LASTING, MediaReferenceStore
from core.storage.rooms import RoomStore
from core.web.gate import Gate
from core.web.schemas import JsonSchema, QueryInt, json_reply, load_query

_V1 = "/_synapse/admin/v1"
_EARLIEST_MS = 30 * 24 * 3600 * 1000
"""A time before this is one in seconds by mistake, and would have meant nothing."""


class DeletionQuery(JsonSchema):
    """What is to be deleted."""

    before_ts = QueryInt(required=True)
    size_gt = QueryInt(load_default=0)


def blueprint(
    curation: Curation,
    media: MediaStore,
    files: MediaFileStore,
    references: MediaReferenceStore,
    rooms: RoomStore,
    texts: Interner,
    gate: Gate,
    server_name: ServerName,
) -> Blueprint:
    """The endpoints about single media, rooms, and old media; those about users are in core.api.admin.user_media."""
    bp = Blueprint("admin_media", __name__)
    _add_single(bp, curation, media, files, texts, gate, server_name)
    _add_quarantine(bp, curation, media, texts, gate, server_name)
    _add_rooms(bp, curation, references, rooms, gate, server_name)
    _add_old(bp, curation, gate)
    return bp


def _add_single(
    bp: Blueprint,
    curation: Curation,
    media: MediaStore,
    files: MediaFileStore,
    texts: Interner,
    gate: Gate,
    server_name: ServerName,
) -> None:
    @bp.get(f"{_V1}/media/<server>/<media_id>")
    def get_media(server: str, media_id: str) -> ResponseReturnValue:
        """All that is known of a file."""
        gate.authenticate_admin(request)
        found = _found(media, server, media_id)
        file = files.find(found.file_id or "")
        uploader = None if found.user_nid is None else texts.text(found.user_nid)
        info: dict[str, Any] = {"media_origin": found.origin if server != server_name else None, "user_id": uploader}
        info |= {**shown(found), "authenticated": found.needs_auth, "filesystem_id": found.file_id, "url_cache": None}
        return json_reply({"media_info": {**info, "sha256": None if file is None else file.sha256.hex()}})

    @bp.delete(f"{_V1}/media/<server>/<media_id>")
    def delete_media(server: str, media_id: str) -> ResponseReturnValue:
        """Delete a file of this server."""
        gate.authenticate_admin(request)
        if server != server_name:
            raise BadRequest("Only media of this server is deleted one by one; use purge_media_cache for copies.")
        gone = curation.delete([_found(media, server, media_id)])
        return json_reply({"deleted_media": gone, "total": len(gone)})


def _add_quarantine(
    bp: Blueprint, curation: Curation, media: MediaStore, texts: Interner, gate: Gate, server_name: ServerName
) -> None:
    @bp.post(f"{_V1}/media/quarantine/<server>/<media_id>")
    def quarantine(server: str, media_id: str) -> ResponseReturnValue:
        """Withhold a file, and all with the same content."""
        admin = gate.authenticate_admin(request)
        _found(media, server, media_id)
        curation.quarantine(server, media_id, admin.user_id)
        return json_reply(b"{}")

    @bp.post(f"{_V1}/media/unquarantine/<server>/<media_id>")
    def unquarantine(server: str, media_id: str) -> ResponseReturnValue:
        """Serve it again."""
        gate.authenticate_admin(request)
        _found(media, server, media_id)
        curation.quarantine(server, media_id, None)
        return json_reply(b"{}")

    @bp.post(f"{_V1}/media/<any(protect, unprotect):action>/<media_id>")
    def protect(action: str, media_id: str) -> ResponseReturnValue:
        """Keep a file of this server from quarantine and from deletion for its age, or no longer."""
        gate.authenticate_admin(request)
        if not curation.protect(server_name, media_id, action == "protect"):
            raise NotFound("There is no such media here.")
        return json_reply(b"{}")

    @bp.post(f"{_V1}/user/<user_id>/media/quarantine")
    def quarantine_user(user_id: str) -> ResponseReturnValue:
        """Withhold all that a user has uploaded."""
        admin = gate.authenticate_admin(request)
        user = texts.find(user_id)
        found = [] if user is None else curation.of_user(user)
        return json_reply({"num_quarantined": curation.quarantine_all(found, admin.user_id)})


def _add_rooms(
    bp: Blueprint,
    curation: Curation,
    references: MediaReferenceStore,
    rooms: RoomStore,
    gate: Gate,
    server_name: ServerName,
) -> None:
    def media_of(room_id: str) -> list[tuple[str, str]]:
        room = rooms.find(room_id)  # type: ignore[arg-type]  # anything that is no room id is not found
        return [] if room is None else references.of_room(room.room_nid)

    @bp.get(f"{_V1}/room/<room_id>/media")
    def get_room_media(room_id: str) -> ResponseReturnValue:
        """What the room's events refer to, encrypted ones apart."""
        gate.authenticate_admin(request)
        found = media_of(room_id)
        local = [f"mxc://{origin}/{media_id}" for origin, media_id in found if origin == server_name]
        remote = [f"mxc://{origin}/{media_id}" for origin, media_id in found if origin != server_name]
        return json_reply({"local": local, "remote": remote})

    @bp.post(f"{_V1}/room/<room_id>/media/quarantine")
    @bp.post(f"{_V1}/quarantine_media/<room_id>")
    def quarantine_room(room_id: str) -> ResponseReturnValue:
        """Withhold all of it."""
        admin = gate.authenticate_admin(request)
        return json_reply({"num_quarantined": curation.quarantine_all(media_of(room_id), admin.user_id)})


def _add_old(bp: Blueprint, curation: Curation, gate: Gate) -> None:
    query_schema = DeletionQuery()

    def read_query() -> dict[str, Any]:
        query = load_query(query_schema, request)
        if query["before_ts"] < _EARLIEST_MS:
            raise InvalidParam("'before_ts' must be a time in milliseconds since 1970; this one is in 1970.")
        if query["size_gt"] < 0:
            raise InvalidParam("'size_gt' must be at least 0.")
        return query

    @bp.post(f"{_V1}/media/delete")
    @bp.post(f"{_V1}/media/<server>/delete")
    def delete_old(server: str = "") -> ResponseReturnValue:
        """Delete media of this server not asked for since then; what profiles and rooms show is kept by default."""
        gate.authenticate_admin(request)
        query = read_query()
        kept_by = LASTING if request.args.get("keep_profiles", "true") != "false" else ()
        above = query["size_gt"] + 1 if query["size_gt"] else 0
        gone = curation.delete_old(query["before_ts"], is_local=True, above_bytes=above, kept_by=kept_by)
        return json_reply({"deleted_media": gone, "total": len(gone)})

    @bp.post(f"{_V1}/purge_media_cache")
    def purge_media_cache() -> ResponseReturnValue:
        """Delete copies of other servers' media not asked for since then."""
        gate.authenticate_admin(request)
        return json_reply({"deleted": len(curation.delete_old(read_query()["before_ts"], is_local=False))})


def shown(media: StoredMedia) -> dict[str, Any]:
    """A file as lists show it."""
    return {
        "media_id": media.media_id,
        "media_type": media.content_type,
        "media_length": media.size_bytes,
        "upload_name": media.name,
        "created_ts": media.created_ms,
        "last_access_ts": media.seen_ms,
        "quarantined_by": media.quarantined_by,
        "safe_from_quarantine": media.is_protected,
    }


def _found(media: MediaStore, server: str, media_id: str) -> StoredMedia:
    found = media.find(server, media_id)
    if found is None:
        raise NotFound("There is no such media here.")
    return found
