"""Invites to addresses that somebody now owns. Spec: Server-Server API, "Third-party invites"."""

from __future__ import annotations

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from marshmallow.validate import Equal

from core.api.federation.server_gate import ServerGate
from core.errors import Forbidden, InvalidParam
from core.ids import RoomId, UserId, server_of
from core.rooms.pending_invites import PendingInvites
from core.web.gate import Gate, client_address, limited_address
from core.web.schemas import (
    JsonList,
    JsonNested,
    JsonObject,
    JsonSchema,
    JsonString,
    RoomIdField,
    UserIdField,
    json_reply,
    load,
    load_object,
)

MOST_INVITES = 100
"""How many invites one address may have waited with."""


class SignedInvite(JsonSchema):
    """The proof: who owns the address now, signed by the identity server. It is passed on as it came."""

    mxid = UserIdField(required=True)
    token = JsonString(required=True, max_bytes=255)
    signatures = JsonObject(JsonObject(), required=True)


class WaitingInvite(JsonSchema):
    """One invite that waited."""

    room_id = RoomIdField(required=True)
    sender = UserIdField(required=True)
    signed = JsonObject(required=True)


class BoundBody(JsonSchema):
    """Whose an address is now, and what waited for them; Sydent leaves `invites` out where nothing did."""

    medium = JsonString(required=True)
    address = JsonString(required=True)
    mxid = UserIdField(required=True)
    invites = JsonList(JsonNested(WaitingInvite), load_default=list, max_items=MOST_INVITES)


class ProofBody(JsonSchema):
    """The part of the content that counts."""

    signed = JsonNested(SignedInvite, required=True)


class ContentBody(JsonSchema):
    """The content of the partial event."""

    membership = JsonString(required=True, validate=Equal("invite"))
    third_party_invite = JsonNested(ProofBody, required=True)


class PartialEvent(JsonSchema):
    """A member event to be completed by the inviting server."""

    type = JsonString(required=True, validate=Equal("m.room.member"))
    room_id = RoomIdField(required=True)
    sender = UserIdField(required=True)
    state_key = UserIdField(required=True)
    content = JsonNested(ContentBody, required=True)


def blueprint(pending: PendingInvites, gate: ServerGate, clients: Gate) -> Blueprint:
    """The endpoints; `clients` counts requests of identity servers, which are not signed."""
    bp = Blueprint("federation_third_party_invites", __name__)
    bound, partial = BoundBody(), PartialEvent()

    @bp.route("/_matrix/federation/v1/3pid/onbind", methods=["PUT", "POST"])
    def on_bind_third_party_identifier() -> ResponseReturnValue:
        """An identity server says that a user of ours owns an address.

        The server-server specification says PUT, the identity service's POST, which is what Sydent sends.
        """
        clients.limit(limited_address(client_address(request)), "rc_third_party_invite")
        asked = load(bound, request)
        user_id = UserId(asked["mxid"])
        if server_of(user_id) != gate.server_name:
            raise InvalidParam(f"{user_id} is not a user of this server.")
        for invite in asked["invites"]:
            pending.claim(user_id, RoomId(invite["room_id"]), UserId(invite["sender"]), invite["signed"])
        return json_reply(b"{}")

    @bp.put("/_matrix/federation/v1/exchange_third_party_invite/<room_id>")
    def exchange_third_party_invite(room_id: str) -> ResponseReturnValue:
        """Another server's user owns an address that a user of ours has invited."""
        origin, content = gate.read(request)
        asked = load_object(partial, content)
        target = UserId(asked["state_key"])
        if asked["room_id"] != room_id:
            raise InvalidParam(f"The event is of room {asked['room_id']}, not {room_id}.")
        if server_of(target) != origin:
            raise Forbidden(f"{target} is not a user of {origin}.")
        signed = content["content"]["third_party_invite"]["signed"]
        pending.exchange(RoomId(room_id), target, signed)
        return json_reply(b"{}")

    return bp
