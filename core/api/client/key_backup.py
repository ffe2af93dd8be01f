"""Key backups. Spec: Client-Server API, "Server-side key backups"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from core.encryption.key_backup import MAX_SESSION_DATA_BYTES, KeyBackup, Stored
from core.errors import BadJson, InvalidParam, TooLarge
from core.ids import MAX_ID_BYTES, is_room_id
from core.storage.key_backup import BackedUpKey, BackupVersion
from core.web.gate import Gate
from core.web.json_body import read_object
from core.web.schemas import (
    Empty,
    JsonBool,
    JsonInt,
    JsonObject,
    JsonSchema,
    JsonString,
    QueryString,
    dump,
    json_reply,
    load,
    load_object,
    load_query,
)

VERSIONS = "/_matrix/client/v3/room_keys/version"
KEYS = "/_matrix/client/v3/room_keys/keys"
MAX_BODY_BYTES = 10_485_760
"""Clients store some hundred keys at once, a kilobyte each."""


class VersionBody(JsonSchema):
    """How a version is encrypted. `version` counts only when one is updated."""

    algorithm = JsonString(required=True, min_bytes=1, max_bytes=255)
    auth_data = JsonObject(required=True)
    version = JsonString(load_default=None, allow_none=True)


class KeyBody(JsonSchema):
    """One room key."""

    first_message_index = JsonInt(required=True)
    forwarded_count = JsonInt(required=True)
    is_verified = JsonBool(required=True)
    session_data = JsonObject(required=True)


class VersionQuery(JsonSchema):
    """Which version is meant."""

    version = QueryString(required=True)


VERSION_BODY, KEY_BODY, VERSION_QUERY = VersionBody(), KeyBody(), VersionQuery()


def blueprint(backup: KeyBackup, gate: Gate) -> Blueprint:
    """The caller's backups."""
    bp = Blueprint("client_key_backup", __name__)
    _add_versions(bp, backup, gate)
    _add_keys(bp, backup, gate)
    _add_reading(bp, backup, gate)
    return bp


def _add_versions(bp: Blueprint, backup: KeyBackup, gate: Gate) -> None:
    @bp.post(VERSIONS)
    def create_version() -> ResponseReturnValue:
        """Begin a new backup."""
        requester = gate.authenticate(request)
        body = load(VERSION_BODY, request)
        return json_reply({"version": backup.create(requester.user_nid, body["algorithm"], body["auth_data"])})

    @bp.get(VERSIONS)
    def get_current_version() -> ResponseReturnValue:
        """The current one."""
        return json_reply(_version(backup.get(gate.authenticate(request).user_nid, None)))

    @bp.get(f"{VERSIONS}/<version>")
    def get_version(version: str) -> ResponseReturnValue:
        """One of them."""
        return json_reply(_version(backup.get(gate.authenticate(request).user_nid, version)))

    @bp.put(f"{VERSIONS}/<version>")
    def put_version(version: str) -> ResponseReturnValue:
        """Change how one is signed."""
        requester = gate.authenticate(request)
        body = load(VERSION_BODY, request)
        backup.update(requester.user_nid, version, body["algorithm"], body["auth_data"], body["version"])
        return dump(Empty, {})

    @bp.delete(f"{VERSIONS}/<version>")
    def delete_version(version: str) -> ResponseReturnValue:
        """Delete one with its keys."""
        backup.delete(gate.authenticate(request).user_nid, version)
        return dump(Empty, {})


def _add_keys(bp: Blueprint, backup: KeyBackup, gate: Gate) -> None:
    def put(keys_of: Any) -> ResponseReturnValue:
        requester = gate.authenticate(request)
        version = load_query(VERSION_QUERY, request)["version"]
        return _stored(backup.put_keys(requester.user_nid, version, keys_of(read_object(request, MAX_BODY_BYTES))))

    @bp.put(KEYS)
    def put_all() -> ResponseReturnValue:
        """Store keys of several rooms."""
        return put(lambda body: [key for room, part in _each(body, "rooms") for key in _room_keys(room, part)])

    @bp.put(f"{KEYS}/<room_id>")
    def put_in_room(room_id: str) -> ResponseReturnValue:
        """Store keys of one room."""
        return put(lambda body: _room_keys(room_id, body))

    @bp.put(f"{KEYS}/<room_id>/<session_id>")
    def put_session(room_id: str, session_id: str) -> ResponseReturnValue:
        """Store one key."""
        return put(lambda body: [_key(room_id, session_id, body)])

    def remove(room_id: str | None = None, session_id: str | None = None) -> ResponseReturnValue:
        requester = gate.authenticate(request)
        version = load_query(VERSION_QUERY, request)["version"]
        return _stored(backup.remove_keys(requester.user_nid, version, room_id, session_id))

    @bp.delete(KEYS)
    def delete_all() -> ResponseReturnValue:
        """Delete every key."""
        return remove()

    @bp.delete(f"{KEYS}/<room_id>")
    def delete_in_room(room_id: str) -> ResponseReturnValue:
        """Delete the keys of one room."""
        return remove(room_id)

    @bp.delete(f"{KEYS}/<room_id>/<session_id>")
    def delete_session(room_id: str, session_id: str) -> ResponseReturnValue:
        """Delete one key."""
        return remove(room_id, session_id)


def _add_reading(bp: Blueprint, backup: KeyBackup, gate: Gate) -> None:
    @bp.get(KEYS)
    def get_all() -> ResponseReturnValue:
        """Every key."""
        requester = gate.authenticate(request)
        return json_reply(backup.all_keys(requester.user_nid, load_query(VERSION_QUERY, request)["version"]))

    @bp.get(f"{KEYS}/<room_id>")
    def get_in_room(room_id: str) -> ResponseReturnValue:
        """The keys of one room."""
        requester = gate.authenticate(request)
        return json_reply(backup.room_keys(requester.user_nid, load_query(VERSION_QUERY, request)["version"], room_id))

    @bp.get(f"{KEYS}/<room_id>/<session_id>")
    def get_session(room_id: str, session_id: str) -> ResponseReturnValue:
        """One key."""
        requester = gate.authenticate(request)
        version = load_query(VERSION_QUERY, request)["version"]
        return json_reply(backup.session_key(requester.user_nid, version, room_id, session_id))


def _version(version: BackupVersion) -> bytes:
    return b'{"algorithm":%b,"auth_data":%b,"count":%d,"etag":"%d","version":"%d"}' % (
        orjson.dumps(version.algorithm),
        version.auth_data,
        version.key_count,
        version.etag,
        version.version,
    )


def _stored(stored: Stored) -> ResponseReturnValue:
    return json_reply({"count": stored.count, "etag": stored.etag})


def _each(body: Mapping[str, Any], name: str) -> list[tuple[str, Any]]:
    found = body.get(name)
    if not isinstance(found, dict):
        raise BadJson(f"'{name}' is required and must be an object.")
    return list(found.items())


def _room_keys(room_id: str, part: Any) -> list[BackedUpKey]:
    if not isinstance(part, dict):
        raise BadJson(f"'{room_id[:255]}' must be an object with 'sessions'.")
    return [_key(room_id, session_id, key) for session_id, key in _each(part, "sessions")]


def _key(room_id: str, session_id: str, key: Any) -> BackedUpKey:
    if not is_room_id(room_id):
        raise InvalidParam(f"{room_id[:255]!r} is not a room id, which starts with an exclamation mark.")
    if not 0 < len(session_id.encode()) <= MAX_ID_BYTES:
        raise InvalidParam(f"A session id must have between 1 and {MAX_ID_BYTES} bytes.")
    if not isinstance(key, dict):
        raise BadJson(f"The key of session {session_id} must be an object.")
    fields = load_object(KEY_BODY, key)
    session_data = orjson.dumps(fields["session_data"])
    if len(session_data) > MAX_SESSION_DATA_BYTES:
        raise TooLarge(f"'session_data' is larger than the {MAX_SESSION_DATA_BYTES} bytes allowed.")
    return BackedUpKey(
        room_id,
        session_id,
        fields["first_message_index"],
        fields["forwarded_count"],
        fields["is_verified"],
        session_data,
    )
