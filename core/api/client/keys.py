"""Keys of devices: publishing, querying, claiming, and whose changed. Spec: Client-Server API, "Key management API"."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson
from flask import Blueprint, Request, request
from flask.typing import ResponseReturnValue

from core.encryption.claims import KeyClaims, checked_claims
from core.encryption.device_lists import DeviceLists
from core.encryption.queries import KeyQueries, checked_wanted
from core.encryption.uploads import KeyUploads
from core.errors import BadJson, InvalidParam
from core.ids import is_user_id
from core.web.direct import direct
from core.web.gate import Gate
from core.web.json_body import kind_of, read_object
from core.web.schemas import JsonSchema, QueryString, json_reply, load_query

MAX_QUERIED = 10_000
"""How many users, and devices, one query or claim may name."""
MAX_TIMEOUT_MS = 10_000
"""Other servers are waited for at most this long, whatever the client says."""


class ChangesQuery(JsonSchema):
    """The tokens between which device lists are compared."""

    since = QueryString(required=True, data_key="from")
    upto = QueryString(required=True, data_key="to")


def blueprint(
    uploads: KeyUploads,
    queries: KeyQueries,
    claims: KeyClaims,
    lists: DeviceLists,
    position_of: Callable[[str], int],
    gate: Gate,
) -> Blueprint:
    """Keys of devices. `position_of` reads a sync token, and raises `InvalidParam` for what is none."""
    bp, changes_query = Blueprint("client_keys", __name__), ChangesQuery()

    @bp.post("/_matrix/client/v3/keys/upload")
    @direct
    def upload(asked: Request) -> bytes:
        """Publish keys of the device that asks."""
        requester = gate.authenticate(asked, allow_guest=True)
        counts = uploads.upload(requester, read_object(asked, may_be_empty=True))
        return orjson.dumps({"one_time_key_counts": {"signed_curve25519": 0, **counts}})

    @bp.post("/_matrix/client/v3/keys/query")
    @direct
    def query(asked: Request) -> bytes:
        """The keys of some users' devices."""
        requester = gate.authenticate(asked, allow_guest=True)
        body = read_object(asked)
        wanted = _by_user(body, "device_keys")
        for user_id, devices in wanted.items():
            if not isinstance(devices, list) or not all(isinstance(one, str) for one in devices):
                raise BadJson(f"'device_keys.{user_id}' must be a list of device ids, not {kind_of(devices)}.")
        return queries.query(requester, checked_wanted(wanted), _timeout_ms(body))

    @bp.post("/_matrix/client/v3/keys/claim")
    @direct
    def claim(asked: Request) -> bytes:
        """One-time keys for some devices."""
        gate.authenticate(asked, allow_guest=True)
        body = read_object(asked)
        wanted = _by_user(body, "one_time_keys")
        for user_id, devices in wanted.items():
            if not isinstance(devices, dict) or not all(isinstance(one, str) for one in devices.values()):
                raise BadJson(f"'one_time_keys.{user_id}' must be an object of device ids and algorithms.")
        if sum(len(devices) for devices in wanted.values()) > MAX_QUERIED:
            raise InvalidParam(f"Keys of at most {MAX_QUERIED} devices may be claimed at once.")
        return claims.claim(checked_claims(wanted), _timeout_ms(body))

    @bp.get("/_matrix/client/v3/keys/changes")
    def changes() -> ResponseReturnValue:
        """Whose device lists changed between two sync tokens."""
        requester = gate.authenticate(request, allow_guest=True)
        tokens = load_query(changes_query, request)
        found = lists.between(requester.user_nid, position_of(tokens["since"]), position_of(tokens["upto"]))
        return json_reply({"changed": found.changed, "left": found.left})

    return bp


def _by_user(body: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The object under `name`, whose keys are user ids. Raises: `BadJson`, `InvalidParam`."""
    found = body.get(name)
    if not isinstance(found, dict):
        raise BadJson(f"'{name}' is required and must be an object of user ids.")
    if len(found) > MAX_QUERIED:
        raise InvalidParam(f"'{name}' may name at most {MAX_QUERIED} users, not {len(found)}.")
    for user_id in found:
        if not is_user_id(user_id):
            raise InvalidParam(f"'{name}' names {user_id[:100]!r}, which is not a user id.")
    return found


def _timeout_ms(body: Mapping[str, Any]) -> int:
    timeout = body.get("timeout", MAX_TIMEOUT_MS)
    if type(timeout) is not int or timeout < 0:
        raise BadJson("'timeout' must be a number of milliseconds, 0 or more.")
    return min(timeout, MAX_TIMEOUT_MS)
