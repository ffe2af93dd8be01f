"""Joining, leaving, inviting, kicking, banning, knocking, forgetting. Spec: Client-Server API, "Room membership"."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from marshmallow.validate import OneOf

from core.errors import InvalidParam
from core.ids import MAX_ID_BYTES, Requester, RoomAlias, RoomId, ServerName, UserId, is_room_alias, is_room_id
from core.rooms.aliases import Aliases
from core.rooms.membership import Memberships
from core.rooms.pending_invites import PendingInvites
from core.rooms.third_party_invites import Address, ThirdPartyInvites
from core.web.gate import Gate
from core.web.json_body import read_json, read_object
from core.web.schemas import (
    JsonObject,
    JsonSchema,
    JsonString,
    QueryStrings,
    ServerNameField,
    UserIdField,
    json_reply,
    load,
    load_object,
    load_query,
)

Change = Callable[[Requester, RoomId, UserId, str | None], None]


NOT_JOINED_WITH = frozenset(
    {"membership", "third_party_signed", "join_authorised_via_users_server", "displayname", "avatar_url", "is_direct"}
)
"""Keys of a join's body that do not go into the member event: what a join means is the server's to say."""


class ReasonBody(JsonSchema):
    """An optional reason."""

    reason = JsonString(load_default=None, allow_none=True)


class JoinBody(ReasonBody):
    """A join; `third_party_signed` proves an invite to an address."""

    third_party_signed = JsonObject(load_default=None, allow_none=True)


class TargetBody(ReasonBody):
    """Somebody, and a reason."""

    user_id = UserIdField(required=True)


class AddressBody(ReasonBody):
    """An address, and the identity server by which it is found."""

    medium = JsonString(required=True, validate=OneOf(("email", "msisdn"), error="must be email or msisdn"))
    address = JsonString(required=True, max_bytes=255, min_bytes=1, allow_nul=False)
    id_server = JsonString(required=True, max_bytes=255)
    id_access_token = JsonString(required=True, max_bytes=2048)


class ViaQuery(JsonSchema):
    """Servers to go through; `server_name` is what clients before v1.12 send."""

    via = QueryStrings(ServerNameField(), load_default=list)
    server_name = QueryStrings(ServerNameField(), load_default=list)


def blueprint(
    memberships: Memberships, aliases: Aliases, by_address: ThirdPartyInvites, pending: PendingInvites, gate: Gate
) -> Blueprint:
    """Memberships."""
    address_body = AddressBody()
    bp = Blueprint("client_room_membership", __name__)
    join_body, reason_body, target_body, via_query = JoinBody(), ReasonBody(), TargetBody(), ViaQuery()

    def join(requester: Requester, room_id: RoomId, via: list[ServerName]) -> ResponseReturnValue:
        """Join; further keys of the body go into the member event, where clients look for what they put there."""
        gate.limit(requester, "rc_joins.local" if memberships.is_here(room_id) else "rc_joins.remote")
        gate.limit(room_id, "rc_joins_per_room")
        given = read_json(request, may_be_empty=True)
        body = load_object(join_body, given)
        extra = {key: value for key, value in given.items() if key not in NOT_JOINED_WITH and value is not None}
        if body["third_party_signed"] is not None:
            via = [*pending.accept(requester.user_id, room_id, body["third_party_signed"]), *via]
        return json_reply({"room_id": memberships.join(requester, room_id, via, extra)})

    @bp.post("/_matrix/client/v3/rooms/<room_id>/join")
    def join_room_by_id(room_id: str) -> ResponseReturnValue:
        """Join a room by its id."""
        requester = gate.authenticate(request, allow_guest=True)
        return join(requester, _room_id(room_id), _via())

    @bp.post("/_matrix/client/v3/join/<room_id_or_alias>")
    def join_room(room_id_or_alias: str) -> ResponseReturnValue:
        """Join a room by its id or an alias."""
        requester = gate.authenticate(request, allow_guest=True)
        room_id, servers = _resolve(room_id_or_alias)
        return join(requester, room_id, [*_via(), *servers])

    @bp.post("/_matrix/client/v3/knock/<room_id_or_alias>")
    def knock_room(room_id_or_alias: str) -> ResponseReturnValue:
        """Ask to be let in."""
        requester = gate.authenticate(request)
        gate.limit(requester, "rc_joins.local")
        room_id, servers = _resolve(room_id_or_alias)
        reason = load(reason_body, request)["reason"]
        return json_reply({"room_id": memberships.knock(requester, room_id, [*_via(), *servers], reason)})

    @bp.post("/_matrix/client/v3/rooms/<room_id>/leave")
    def leave_room(room_id: str) -> ResponseReturnValue:
        """Leave, or turn an invite down."""
        requester = gate.authenticate(request, allow_guest=True)
        memberships.leave(requester, RoomId(room_id), load(reason_body, request)["reason"])
        return json_reply(b"{}")

    @bp.post("/_matrix/client/v3/rooms/<room_id>/forget")
    def forget_room(room_id: str) -> ResponseReturnValue:
        """Forget a room one has left."""
        requester = gate.authenticate(request, allow_guest=True)
        memberships.forget(requester, RoomId(room_id))
        return json_reply(b"{}")

    @bp.post("/_matrix/client/v3/rooms/<room_id>/invite")
    def invite_user(room_id: str) -> ResponseReturnValue:
        """Invite somebody."""
        requester = gate.authenticate(request)
        gate.limit(requester, "rc_invites.per_issuer")
        given = read_object(request)
        if "medium" in given:
            gate.limit(requester, "rc_third_party_invite")
            fields = load_object(address_body, given)
            reason = fields.pop("reason")
            by_address.invite(requester, RoomId(room_id), Address(**fields), reason)
            return json_reply(b"{}")
        body = load_object(target_body, given)
        gate.limit(room_id, "rc_invites.per_room")
        gate.limit(body["user_id"], "rc_invites.per_user")
        memberships.invite(requester, RoomId(room_id), UserId(body["user_id"]), body["reason"])
        return json_reply(b"{}")

    def change(operation: Change, room_id: RoomId) -> ResponseReturnValue:
        requester = gate.authenticate(request)
        body = load(target_body, request)
        operation(requester, room_id, UserId(body["user_id"]), body["reason"])
        return json_reply(b"{}")

    @bp.post("/_matrix/client/v3/rooms/<room_id>/kick")
    def kick(room_id: str) -> ResponseReturnValue:
        """Make somebody leave."""
        return change(memberships.kick, RoomId(room_id))

    @bp.post("/_matrix/client/v3/rooms/<room_id>/ban")
    def ban(room_id: str) -> ResponseReturnValue:
        """Ban somebody."""
        return change(memberships.ban, RoomId(room_id))

    @bp.post("/_matrix/client/v3/rooms/<room_id>/unban")
    def unban(room_id: str) -> ResponseReturnValue:
        """Lift a ban."""
        return change(memberships.unban, RoomId(room_id))

    def _resolve(text: str) -> tuple[RoomId, list[ServerName]]:
        if is_room_alias(text):
            room_id, servers = aliases.resolve(RoomAlias(text))
            return room_id, list(servers)
        return _room_id(text), []

    def _via() -> list[ServerName]:
        query = load_query(via_query, request)
        return [ServerName(server) for server in (*query["via"], *query["server_name"])]

    return bp


def _room_id(text: str) -> RoomId:
    if not is_room_id(text):
        raise InvalidParam(
            f"{text!r} is neither a room id (!opaque:example.org) nor a room alias (#name:example.org) "
            f"of at most {MAX_ID_BYTES} bytes."
        )
    return RoomId(text)
