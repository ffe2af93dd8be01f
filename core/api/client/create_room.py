"""POST /createRoom. Spec: Client-Server API, "Creation"."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from marshmallow.validate import OneOf

from core.errors import InvalidParam
from core.events.room_versions import room_version
from core.ids import MAX_ID_BYTES, RoomAlias, ServerName, is_room_alias
from core.rooms.creation import RoomCreation
from core.rooms.creation_plan import PRESETS, NewRoom
from core.rooms.third_party_invites import Address
from core.web.gate import Gate
from core.web.schemas import (
    JsonBool,
    JsonList,
    JsonNested,
    JsonObject,
    JsonSchema,
    JsonString,
    UserIdField,
    json_reply,
    load_object,
)
from core.web.schemas import read_json as read_body

MOST_INVITES = 100
"""How many people one request may invite."""


class Invite3pid(JsonSchema):
    """An invite to an e-mail address or phone number."""

    id_server = JsonString(required=True)
    id_access_token = JsonString(required=True)
    medium = JsonString(required=True)
    address = JsonString(required=True)


class CreateRoomBody(JsonSchema):
    """The options of a new room."""

    visibility = JsonString(load_default="private", validate=OneOf(["public", "private"]))
    room_alias_name = JsonString(load_default=None, allow_none=True)
    name = JsonString(load_default=None, allow_none=True)
    topic = JsonString(load_default=None, allow_none=True)
    invite = JsonList(UserIdField(), load_default=list)
    invite_3pid = JsonList(JsonNested(Invite3pid), load_default=list)
    room_version = JsonString(load_default=None, allow_none=True)
    creation_content = JsonObject(load_default=dict)
    initial_state = JsonList(JsonObject(), load_default=list)
    preset = JsonString(load_default=None, allow_none=True, validate=OneOf([*PRESETS]))
    is_direct = JsonBool(load_default=False)
    power_level_content_override = JsonObject(load_default=dict)


def blueprint(
    creation: RoomCreation,
    gate: Gate,
    server_name: ServerName,
    default_version: str,
    encrypted_presets: frozenset[str],
    levels_by_preset: Mapping[str, Any],
) -> Blueprint:
    """Creation of rooms, encrypted from the start with `encrypted_presets` unless the client says otherwise.

    `levels_by_preset` changes the power levels that a preset gives; what the client says goes before.
    """
    bp, body = Blueprint("client_create_room", __name__), CreateRoomBody()

    @bp.post("/_matrix/client/v3/createRoom")
    def create_room() -> ResponseReturnValue:
        """Create a room."""
        requester = gate.authenticate(request)
        gate.limit(requester, "rc_room_creation")
        raw = read_body(request)
        options = load_object(body, raw)
        room = _new_room(options, server_name, default_version, encrypted_presets)
        levels = {**(levels_by_preset.get(room.preset) or {}), **room.power_level_override}
        room = replace(room, power_level_override=levels)
        if room.invite_3pid:
            gate.limit(requester, "rc_third_party_invite", len(room.invite_3pid))
        return json_reply({"room_id": creation.create(requester, room, raw)})

    return bp


def _new_room(
    options: dict[str, Any], server_name: ServerName, default_version: str, encrypted_presets: frozenset[str]
) -> NewRoom:
    if len(options["invite"]) + len(options["invite_3pid"]) > MOST_INVITES:
        raise InvalidParam(f"At most {MOST_INVITES} people can be invited as a room is created.")
    is_public = options["visibility"] == "public"
    preset = options["preset"] or ("public_chat" if is_public else "private_chat")
    return NewRoom(
        version=room_version(options["room_version"] or default_version),
        preset=preset,
        alias=_alias(options["room_alias_name"], server_name),
        name=options["name"],
        topic=options["topic"],
        invite=tuple(dict.fromkeys(options["invite"])),
        invite_3pid=tuple(Address(**fields) for fields in options["invite_3pid"]),
        creation_content=options["creation_content"],
        initial_state=options["initial_state"],
        is_direct=options["is_direct"],
        power_level_override=options["power_level_content_override"],
        is_published=is_public,
        encrypts_by_default=preset in encrypted_presets,
    )


def _alias(localpart: str | None, server_name: ServerName) -> RoomAlias | None:
    if not localpart:
        return None
    alias = f"#{localpart}:{server_name}"
    if ":" in localpart or any(c.isspace() for c in localpart) or not is_room_alias(alias):
        raise InvalidParam(
            f"room_alias_name {localpart!r} must have neither a colon nor white space, "
            f"and the alias at most {MAX_ID_BYTES} bytes."
        )
    return RoomAlias(alias)
