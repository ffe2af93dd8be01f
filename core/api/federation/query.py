"""Questions about one thing: profiles and aliases of this server. Spec: Server-Server API, "Querying for information"."""

from __future__ import annotations

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from core.accounts.profiles import Profiles
from core.api.federation.server_gate import ServerGate
from core.errors import Forbidden, NotFound, Unrecognized
from core.ids import RoomAlias, UserId, server_of
from core.rooms.aliases import Aliases
from core.web.schemas import JsonSchema, QueryString, RoomAliasField, UserIdField, json_reply, load_query


class ProfileQuery(JsonSchema):
    """Whose profile, and which field of it."""

    user_id = UserIdField(required=True)
    field = QueryString(load_default=None, max_bytes=255)


class DirectoryQuery(JsonSchema):
    """Which alias."""

    room_alias = RoomAliasField(required=True)


def blueprint(profiles: Profiles, aliases: Aliases, gate: ServerGate, shows_profiles: bool) -> Blueprint:
    """Queries; with `shows_profiles` False profiles are not told."""
    bp, profile_query, directory_query = Blueprint("federation_query", __name__), ProfileQuery(), DirectoryQuery()

    @bp.get("/_matrix/federation/v1/query/profile")
    def query_profile() -> ResponseReturnValue:
        """A local user's profile."""
        gate.authenticate(request)
        if not shows_profiles:
            raise Forbidden("This server does not tell profiles to other servers.")
        asked = load_query(profile_query, request)
        user_id = UserId(asked["user_id"])
        if server_of(user_id) != gate.server_name:
            raise NotFound("The user is not of this server.")
        profile = profiles.get(user_id)
        field = asked["field"]
        return json_reply(profile if field is None else {key: profile[key] for key in (field,) if key in profile})

    @bp.get("/_matrix/federation/v1/query/directory")
    def query_directory() -> ResponseReturnValue:
        """Where a local alias leads."""
        gate.authenticate(request)
        alias = RoomAlias(load_query(directory_query, request)["room_alias"])
        if server_of(alias) != gate.server_name:
            raise NotFound("The alias is not of this server.")
        room_id, servers = aliases.resolve(alias)
        return json_reply({"room_id": room_id, "servers": list(servers)})

    @bp.get("/_matrix/federation/v1/query/<query_type>")
    def query_info(query_type: str) -> ResponseReturnValue:
        """Any other question."""
        gate.authenticate(request)
        raise Unrecognized("This server answers the queries profile and directory.")

    return bp
