"""What a new room starts with: the drafts that createRoom's options add up to, in the order the specification gives.

Pure: a request in, drafts out. Whether the creator may, and whether the drafts pass the auth rules, is decided
elsewhere.
Spec: Client-Server API, "Creation" and POST /createRoom.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.errors import BadJson, InvalidParam
from core.events.room_versions import RoomVersion
from core.graph.drafts import Draft
from core.ids import RoomAlias, UserId, is_user_id
from core.rooms.third_party_invites import Address

PRESETS: Mapping[str, Mapping[str, str]] = {
    "private_chat": {"join_rule": "invite", "history_visibility": "shared", "guest_access": "can_join"},
    "trusted_private_chat": {"join_rule": "invite", "history_visibility": "shared", "guest_access": "can_join"},
    "public_chat": {"join_rule": "public", "history_visibility": "shared", "guest_access": "forbidden"},
}
_ADMIN_LEVEL = 100
_TOMBSTONE_LEVEL_WITH_PRIVILEGED_CREATORS = 150
_FIRST_TYPES = ("m.room.create", "m.room.member")


@dataclass(frozen=True, slots=True)
class NewRoom:
    """The body of createRoom, checked for types, with defaults filled in."""

    version: RoomVersion
    preset: str
    alias: RoomAlias | None = None
    name: str | None = None
    topic: str | None = None
    invite: Sequence[UserId] = ()
    invite_3pid: Sequence[Address] = ()
    creation_content: Mapping[str, Any] = field(default_factory=dict)
    initial_state: Sequence[Mapping[str, Any]] = ()
    is_direct: bool = False
    power_level_override: Mapping[str, Any] = field(default_factory=dict)
    is_published: bool = False
    encrypts_by_default: bool = False


def creation_drafts(room: NewRoom, creator: UserId, profile: Mapping[str, Any]) -> list[Draft]:
    """The events up to and including name and topic; invites follow one by one.

    `profile` is what the creator's member event carries (displayname, avatar_url). Raises BadJson, InvalidParam.
    """
    overrides = _initial_state(room)
    drafts = [
        Draft("m.room.create", creator, _create_content(room, creator), ""),
        Draft("m.room.member", creator, {**profile, "membership": "join"}, creator),
        Draft("m.room.power_levels", creator, _power_levels(room, creator, overrides), ""),
    ]
    planned = _settings(room)
    planned.update(overrides)
    planned.pop(("m.room.power_levels", ""), None)
    if room.name is not None:
        planned.pop(("m.room.name", ""), None)
        planned["m.room.name", ""] = {"name": room.name}
    if room.topic is not None:
        planned.pop(("m.room.topic", ""), None)
        planned["m.room.topic", ""] = {"topic": room.topic, "m.topic": {"m.text": [{"body": room.topic}]}}
    return drafts + [Draft(type_, creator, content, key) for (type_, key), content in planned.items()]


def _settings(room: NewRoom) -> dict[tuple[str, str], Mapping[str, Any]]:
    preset = PRESETS[room.preset]
    planned: dict[tuple[str, str], Mapping[str, Any]] = {}
    if room.alias is not None:
        planned["m.room.canonical_alias", ""] = {"alias": room.alias}
    planned["m.room.join_rules", ""] = {"join_rule": preset["join_rule"]}
    planned["m.room.history_visibility", ""] = {"history_visibility": preset["history_visibility"]}
    planned["m.room.guest_access", ""] = {"guest_access": preset["guest_access"]}
    if room.encrypts_by_default:
        planned["m.room.encryption", ""] = {"algorithm": "m.megolm.v1.aes-sha2"}
    return planned


def _create_content(room: NewRoom, creator: UserId) -> dict[str, Any]:
    content = {**room.creation_content, "room_version": room.version.id}
    if room.version.implicit_creator:
        content.pop("creator", None)
    else:
        content["creator"] = creator
    if not room.version.privileged_creators:
        return content
    others = content.get("additional_creators", [])
    if not isinstance(others, list) or not all(isinstance(user, str) and is_user_id(user) for user in others):
        raise InvalidParam("creation_content.additional_creators must be a list of user ids.")
    if room.preset == "trusted_private_chat":
        others = [*others, *room.invite]
    others = list(dict.fromkeys(user for user in others if user != creator))
    if others or "additional_creators" in content:
        content["additional_creators"] = others
    return content


def _power_levels(room: NewRoom, creator: UserId, overrides: Mapping[tuple[str, str], Mapping[str, Any]]) -> Any:
    given = overrides.get(("m.room.power_levels", ""))
    if given is not None:
        return given
    users: dict[str, int] = {}
    if not room.version.privileged_creators:
        users[creator] = _ADMIN_LEVEL
        if room.preset == "trusted_private_chat":
            users.update(dict.fromkeys(room.invite, _ADMIN_LEVEL))
    tombstone = _TOMBSTONE_LEVEL_WITH_PRIVILEGED_CREATORS if room.version.privileged_creators else _ADMIN_LEVEL
    content = {
        "users": users,
        "users_default": 0,
        "events": {
            "m.room.name": 50,
            "m.room.avatar": 50,
            "m.room.canonical_alias": 50,
            "m.room.power_levels": _ADMIN_LEVEL,
            "m.room.history_visibility": _ADMIN_LEVEL,
            "m.room.server_acl": _ADMIN_LEVEL,
            "m.room.encryption": _ADMIN_LEVEL,
            "m.room.tombstone": tombstone,
        },
        "events_default": 0,
        "state_default": 50,
        "ban": 50,
        "kick": 50,
        "redact": 50,
        "invite": 50 if room.preset == "public_chat" else 0,
    }
    return {**content, **room.power_level_override}


def _initial_state(room: NewRoom) -> dict[tuple[str, str], Mapping[str, Any]]:
    planned: dict[tuple[str, str], Mapping[str, Any]] = {}
    for number, entry in enumerate(room.initial_state):
        type_, key, content = entry.get("type"), entry.get("state_key", ""), entry.get("content")
        if not isinstance(type_, str) or not isinstance(key, str) or not isinstance(content, Mapping):
            raise BadJson(f"initial_state[{number}] needs a string type, an object content and a string state_key.")
        if type_ in _FIRST_TYPES:
            raise InvalidParam(f"initial_state[{number}] may not be of type {type_}: the server makes those events.")
        planned.pop((type_, key), None)
        planned[type_, key] = content
    return planned
