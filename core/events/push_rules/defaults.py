"""The rules every user starts with. Spec: Client-Server API v1.19, "Predefined Rules"."""

from __future__ import annotations

from typing import Any

OWN_USER_ID = "\0user_id"
"""Stands for the id of the user whose rules these are, so that all users on default rules share one compiled set."""

Rule = dict[str, Any]

_SOUND = {"set_tweak": "sound", "value": "default"}
_RING = {"set_tweak": "sound", "value": "ring"}
_HIGHLIGHT = {"set_tweak": "highlight"}


def default_ruleset() -> dict[str, list[Rule]]:
    """The default rules by kind, each kind in order of priority; a new copy. The user's id is `OWN_USER_ID`."""
    return {"override": _override(), "content": [], "room": [], "sender": [], "underride": _underride()}


def _override() -> list[Rule]:
    invite = [_match("type", "m.room.member"), _match("content.membership", "invite"), _match("state_key", OWN_USER_ID)]
    user_mention = {
        "kind": "event_property_contains",
        "key": r"content.m\.mentions.user_ids",
        "value": OWN_USER_ID,
    }
    room_mention = {"kind": "event_property_is", "key": r"content.m\.mentions.room", "value": True}
    may_notify_room = {"kind": "sender_notification_permission", "key": "room"}
    edit = {"kind": "event_property_is", "key": r"content.m\.relates_to.rel_type", "value": "m.replace"}
    return [
        {**_rule(".m.rule.master", [], []), "enabled": False},
        _rule(".m.rule.suppress_notices", [_match("content.msgtype", "m.notice")], []),
        _rule(".m.rule.invite_for_me", invite, ["notify", _SOUND]),
        _rule(".m.rule.member_event", [_match("type", "m.room.member")], []),
        _rule(".m.rule.is_user_mention", [user_mention], ["notify", _SOUND, _HIGHLIGHT]),
        _rule(".m.rule.is_room_mention", [room_mention, may_notify_room], ["notify", _HIGHLIGHT]),
        _rule(".m.rule.tombstone", _state_event("m.room.tombstone"), ["notify", _HIGHLIGHT]),
        _rule(".m.rule.reaction", [_match("type", "m.reaction")], []),
        _rule(".m.rule.room.server_acl", _state_event("m.room.server_acl"), []),
        _rule(".m.rule.suppress_edits", [edit], []),
    ]


def _underride() -> list[Rule]:
    two_members = {"kind": "room_member_count", "is": "2"}
    encrypted, message = _match("type", "m.room.encrypted"), _match("type", "m.room.message")
    return [
        _rule(".m.rule.call", [_match("type", "m.call.invite")], ["notify", _RING]),
        _rule(".m.rule.encrypted_room_one_to_one", [two_members, encrypted], ["notify", _SOUND]),
        _rule(".m.rule.room_one_to_one", [two_members, message], ["notify", _SOUND]),
        _rule(".m.rule.message", [message], ["notify"]),
        _rule(".m.rule.encrypted", [encrypted], ["notify"]),
    ]


def _rule(rule_id: str, conditions: list[Rule], actions: list[Any]) -> Rule:
    copies = [dict(condition) for condition in conditions]
    return {"rule_id": rule_id, "default": True, "enabled": True, "conditions": copies, "actions": list(actions)}


def _match(key: str, pattern: str) -> Rule:
    return {"kind": "event_match", "key": key, "pattern": pattern}


def _state_event(event_type: str) -> list[Rule]:
    return [_match("type", event_type), _match("state_key", "")]
