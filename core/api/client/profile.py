"""Profiles. Spec: Client-Server API, "Profiles"."""

from __future__ import annotations

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from core.accounts.profile_audience import ProfileAudience
from core.accounts.profiles import MAX_PROFILE_BYTES, Profiles
from core.errors import InvalidParam, MissingParam
from core.ids import UserId, is_user_id
from core.web.gate import Gate
from core.web.json_body import read_object
from core.web.schemas import Empty, dump, json_reply

MAX_BODY_BYTES = MAX_PROFILE_BYTES * 4
"""Bodies may spell a value less compactly than it is stored."""


def blueprint(profiles: Profiles, gate: Gate, audience: ProfileAudience) -> Blueprint:
    """Reading and changing profiles; `audience` may read."""
    bp = Blueprint("client_profile", __name__)

    def readable(text: str) -> UserId:
        user_id = _user_id(text)
        if not audience.is_public:
            audience.check(gate.authenticate(request, allow_guest=True), user_id)
        return user_id

    @bp.get("/_matrix/client/v3/profile/<user_id>")
    def get_profile(user_id: str) -> ResponseReturnValue:
        """All fields."""
        return json_reply(profiles.get(readable(user_id)))

    @bp.get("/_matrix/client/v3/profile/<user_id>/<key>")
    @bp.get("/_matrix/client/unstable/uk.tcpip.msc4133/profile/<user_id>/<key>", endpoint="unstable_get")
    def get_field(user_id: str, key: str) -> ResponseReturnValue:
        """One field."""
        return json_reply({key: profiles.get_field(readable(user_id), key)})

    @bp.put("/_matrix/client/v3/profile/<user_id>/<key>")
    @bp.put("/_matrix/client/unstable/uk.tcpip.msc4133/profile/<user_id>/<key>", endpoint="unstable_put")
    def put_field(user_id: str, key: str) -> ResponseReturnValue:
        """Set one field."""
        requester = gate.authenticate(request, allow_guest=True)
        body = read_object(request, MAX_BODY_BYTES)
        if key not in body:
            raise MissingParam(f"'{key[:100]}' is required: the body must hold the field that the path names.")
        profiles.set_field(requester, _user_id(user_id), key, body[key])
        return dump(Empty, {})

    @bp.delete("/_matrix/client/v3/profile/<user_id>/<key>")
    @bp.delete("/_matrix/client/unstable/uk.tcpip.msc4133/profile/<user_id>/<key>", endpoint="unstable_delete")
    def delete_field(user_id: str, key: str) -> ResponseReturnValue:
        """Remove one field."""
        requester = gate.authenticate(request, allow_guest=True)
        profiles.delete_field(requester, _user_id(user_id), key)
        return dump(Empty, {})

    return bp


def _user_id(text: str) -> UserId:
    if not is_user_id(text):
        raise InvalidParam("The path must name a user id such as @name:example.org.")
    return UserId(text)
