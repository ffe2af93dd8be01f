"""Auth events selection: the part of the room's state that an event must list as its authority, and nothing else.

Spec: Server-Server API, "Auth events selection"; room version 12, "Authorisation rules".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.events.room_versions import RoomVersion
from core.ids import StateKey

CREATE: StateKey = ("m.room.create", "")
POWER_LEVELS: StateKey = ("m.room.power_levels", "")
JOIN_RULES: StateKey = ("m.room.join_rules", "")


def auth_event_keys(
    version: RoomVersion, event_type: str, sender: str, state_key: str | None, content: Mapping[str, Any]
) -> list[StateKey]:
    """The keys of the state events that such an event lists, those of them that the room has.

    No key comes twice. Empty for a create event; without the create event from room version 12, where the room id
    says it.
    """
    if event_type == "m.room.create":
        return []
    keys: list[StateKey] = [] if version.room_id_is_create_hash else [CREATE]
    keys += (POWER_LEVELS, ("m.room.member", sender))
    if event_type == "m.room.member" and state_key is not None:
        if state_key != sender:
            keys.append(("m.room.member", state_key))
        keys += _for_membership(version, sender, state_key, content)
    return keys


def _for_membership(version: RoomVersion, sender: str, target: str, content: Mapping[str, Any]) -> list[StateKey]:
    membership = content.get("membership")
    keys: list[StateKey] = [JOIN_RULES] if membership in _NEEDS_JOIN_RULES else []
    if membership == "invite":
        token = third_party_token(content)
        if token is not None:
            keys.append(("m.room.third_party_invite", token))
    elif membership == "join" and version.restricted_joins:
        authorizer = content.get("join_authorised_via_users_server")
        if isinstance(authorizer, str) and authorizer not in (sender, target):
            keys.append(("m.room.member", authorizer))
    return keys


def third_party_token(content: Mapping[str, Any]) -> str | None:
    """`third_party_invite.signed.token` of a membership's content, where there is one."""
    invite = content.get("third_party_invite")
    signed = invite.get("signed") if isinstance(invite, dict) else None
    token = signed.get("token") if isinstance(signed, dict) else None
    return token if isinstance(token, str) else None


_NEEDS_JOIN_RULES = ("join", "invite", "knock")
