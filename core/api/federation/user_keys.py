"""Keys and devices of local users, for other servers. Spec: Server-Server API, "Device Management", "End-to-End Encryption"."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from core.api.federation.server_gate import ServerGate
from core.encryption.claims import KeyClaims, checked_claims
from core.encryption.queries import KeyQueries, checked_wanted
from core.errors import BadJson, NotFound
from core.ids import UserId, server_of
from core.web.json_body import kind_of
from core.web.schemas import json_reply

MAX_USERS = 10_000


def blueprint(queries: KeyQueries, claims: KeyClaims, gate: ServerGate, *, with_names: bool) -> Blueprint:
    """Keys of devices, with the names of these where the administrator lets others know them."""
    bp = Blueprint("federation_user_keys", __name__)

    @bp.post("/_matrix/federation/v1/user/keys/query")
    def query_user_keys() -> ResponseReturnValue:
        """The keys of some users' devices."""
        wanted = _ours("device_keys")
        for user_id, devices in wanted.items():
            if not isinstance(devices, list) or not all(isinstance(one, str) for one in devices):
                raise BadJson(f"'device_keys.{user_id}' must be a list of device ids, not {kind_of(devices)}.")
        parts = queries.query_here(checked_wanted(wanted), None, with_names)
        parts.pop("user_signing_keys", None)
        members = [b'"%b":{%b}' % (name.encode(), _members(users)) for name, users in parts.items()]
        return json_reply(b"{%b}" % b",".join(members))

    @bp.post("/_matrix/federation/v1/user/keys/claim")
    def claim_user_keys() -> ResponseReturnValue:
        """One-time keys of some devices."""
        wanted = _ours("one_time_keys")
        for user_id, devices in wanted.items():
            if not isinstance(devices, dict) or not all(isinstance(one, str) for one in devices.values()):
                raise BadJson(f"'one_time_keys.{user_id}' must be an object of device ids and algorithms.")
        return json_reply(b'{"one_time_keys":%b}' % claims.claim_here(checked_claims(wanted)))

    @bp.get("/_matrix/federation/v1/user/devices/<user_id>")
    def get_user_devices(user_id: str) -> ResponseReturnValue:
        """All devices of a user."""
        gate.authenticate(request)
        if server_of(user_id) != gate.server_name:
            raise NotFound("The user is not of this server.")
        return json_reply(queries.device_list(UserId(user_id), with_names))

    def _ours(key: str) -> dict[str, Any]:
        """What the body asks of local users; others are passed over."""
        _, content = gate.read(request)
        asked = content.get(key)
        if not isinstance(asked, dict) or len(asked) > MAX_USERS:
            raise BadJson(f"'{key}' must be an object of at most {MAX_USERS} users.")
        return {user: one for user, one in asked.items() if server_of(user) == gate.server_name}

    return bp


def _members(users: Any) -> bytes:
    """`"user":{…}` of each user."""
    return b",".join(b'"%b":%b' % (user.encode(), keys) for user, keys in users.items())
