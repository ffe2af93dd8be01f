"""Looking up rooms and users of bridged networks. Spec: Client-Server API, "Third-party networks"."""

from __future__ import annotations

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from core.errors import NotFound
from core.ids import RoomAlias, UserId
from core.rooms.third_party_networks import Found, ThirdPartyNetworks
from core.web.gate import Gate
from core.web.schemas import JsonSchema, RoomAliasField, UserIdField, json_reply, load_query

_NO_FIELDS = frozenset({"access_token", "user_id", "device_id"})
"""Query parameters that say who asks, and nothing of what is looked for."""


class AliasQuery(JsonSchema):
    """Whose places."""

    alias = RoomAliasField(required=True)


class UserQuery(JsonSchema):
    """Whose other selves."""

    userid = UserIdField(required=True)


def blueprint(networks: ThirdPartyNetworks, gate: Gate) -> Blueprint:
    """Lookups in both directions."""
    bp, by_alias, by_user = Blueprint("client_third_party_lookup", __name__), AliasQuery(), UserQuery()

    @bp.get("/_matrix/client/v3/thirdparty/protocols")
    def get_protocols() -> ResponseReturnValue:
        """The protocols of all bridges."""
        gate.authenticate(request)
        return json_reply(dict(networks.protocols()))

    @bp.get("/_matrix/client/v3/thirdparty/protocol/<protocol>")
    def get_protocol_metadata(protocol: str) -> ResponseReturnValue:
        """One protocol."""
        gate.authenticate(request)
        return json_reply(dict(_known(networks, protocol)))

    @bp.get("/_matrix/client/v3/thirdparty/location/<protocol>")
    def query_location_by_protocol(protocol: str) -> ResponseReturnValue:
        """The rooms that lead to a place."""
        gate.authenticate(request)
        _known(networks, protocol)
        return _batch(networks.locations(protocol, _fields()))

    @bp.get("/_matrix/client/v3/thirdparty/user/<protocol>")
    def query_user_by_protocol(protocol: str) -> ResponseReturnValue:
        """The Matrix users who stand for somebody."""
        gate.authenticate(request)
        _known(networks, protocol)
        return _batch(networks.users(protocol, _fields()))

    @bp.get("/_matrix/client/v3/thirdparty/location")
    def query_location_by_alias() -> ResponseReturnValue:
        """The places an alias leads to."""
        gate.authenticate(request)
        return _batch(networks.locations_of(RoomAlias(load_query(by_alias, request)["alias"])))

    @bp.get("/_matrix/client/v3/thirdparty/user")
    def query_user_by_id() -> ResponseReturnValue:
        """Who a Matrix user stands for."""
        gate.authenticate(request)
        return _batch(networks.users_of(UserId(load_query(by_user, request)["userid"])))

    return bp


def _known(networks: ThirdPartyNetworks, protocol: str) -> dict[str, object]:
    found = networks.protocols().get(protocol)
    if found is None:
        raise NotFound(f"No bridge of this server speaks {protocol[:100]!r}.")
    return dict(found)


def _fields() -> dict[str, str]:
    return {key: value for key, value in request.args.items() if key not in _NO_FIELDS}


def _batch(found: Found) -> ResponseReturnValue:
    if not found:
        raise NotFound("Nothing in a bridged network was found for this.")
    return json_reply([dict(one) for one in found])
