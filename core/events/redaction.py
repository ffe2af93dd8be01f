"""Redaction: what of an event must survive so that the room's graph still holds, and who may ask for it.

Hashes and signatures cover the redacted form, so this runs for every event ever sent or received, not only for redacted
ones. `redact` never changes its argument.

Spec: fragments v1-, v6-, v9- and v11-redactions; room version 8, "Redactions"; fragment v3-handling-redactions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from core.events.event import Event
from core.events.power_levels import PowerLevels
from core.events.room_versions import RoomVersion
from core.ids import server_of

_KEYS_SINCE_11 = frozenset(
    {
        "event_id",
        "type",
        "room_id",
        "sender",
        "state_key",
        "content",
        "hashes",
        "signatures",
        "depth",
        "prev_events",
        "auth_events",
        "origin_server_ts",
    }
)
_KEYS_UNTIL_10 = _KEYS_SINCE_11 | {"prev_state", "origin", "membership"}

_COVERED_SINCE_11 = _KEYS_SINCE_11 - {"signatures", "content"}
_COVERED_UNTIL_10 = _KEYS_UNTIL_10 - {"signatures", "content"}

_LEVELS = ("ban", "events", "events_default", "kick", "redact", "state_default", "users", "users_default")


def redact(pdu: Mapping[str, Any], version: RoomVersion) -> dict[str, Any]:
    """The redacted form of `pdu`: a new dict, sharing the values it keeps. Idempotent; `unsigned` is stripped too."""
    allowed = _KEYS_SINCE_11 if version.updated_redaction else _KEYS_UNTIL_10
    kept = {key: value for key, value in pdu.items() if key in allowed}
    if "content" in kept:
        kept["content"] = redact_content(kept.get("type"), kept["content"], version)
    return kept


def essential(pdu: Mapping[str, Any], version: RoomVersion) -> dict[str, Any]:
    """What signatures and the reference hash of an event cover: its redacted form without `signatures`."""
    allowed = _COVERED_SINCE_11 if version.updated_redaction else _COVERED_UNTIL_10
    kept = {key: value for key, value in pdu.items() if key in allowed}
    if "content" in pdu:
        kept["content"] = redact_content(pdu.get("type"), pdu["content"], version)
    return kept


def redact_content(event_type: Any, content: Any, version: RoomVersion) -> dict[str, Any]:
    """The keys of `content` that survive the redaction of an event of `event_type`: a new dict."""
    keep = _CONTENT_RULES.get(event_type) if isinstance(event_type, str) else None
    if keep is None or not isinstance(content, dict):
        return {}
    return keep(content, version)


def may_redact(redaction: Event, target: Event, state: Callable[[str, str], Event | None]) -> bool:
    """Whether a redaction that the auth rules allowed is to be applied to `target`, given the state before it.

    From room version 3 the auth rules no longer decide this; in 1 and 2 they have, and this only checks the room.
    Spec: fragment v3-handling-redactions.
    """
    if redaction.room_id != target.room_id or redaction.redacts != target.event_id:
        return False
    if redaction.version.checks_redaction_sender:
        return True
    if server_of(redaction.sender) == server_of(target.sender):
        return True
    levels = PowerLevels.of(state)
    return levels.of_user(redaction.sender) >= levels.to("redact")


def _only(content: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: content[key] for key in keys if key in content}


def _member(content: dict[str, Any], version: RoomVersion) -> dict[str, Any]:
    if not version.keeps_authorizing_user:
        return _only(content, "membership")
    kept = _only(content, "membership", "join_authorised_via_users_server")
    invite = content.get("third_party_invite")
    if version.updated_redaction and isinstance(invite, dict) and "signed" in invite:
        kept["third_party_invite"] = {"signed": invite["signed"]}
    return kept


def _create(content: dict[str, Any], version: RoomVersion) -> dict[str, Any]:
    return dict(content) if version.updated_redaction else _only(content, "creator")


def _join_rules(content: dict[str, Any], version: RoomVersion) -> dict[str, Any]:
    return _only(content, "join_rule", "allow") if version.restricted_joins else _only(content, "join_rule")


def _power_levels(content: dict[str, Any], version: RoomVersion) -> dict[str, Any]:
    return _only(content, *_LEVELS, "invite") if version.updated_redaction else _only(content, *_LEVELS)


def _aliases(content: dict[str, Any], version: RoomVersion) -> dict[str, Any]:
    return _only(content, "aliases") if version.special_cases_aliases else {}


def _history_visibility(content: dict[str, Any], _version: RoomVersion) -> dict[str, Any]:
    return _only(content, "history_visibility")


def _redaction(content: dict[str, Any], version: RoomVersion) -> dict[str, Any]:
    return _only(content, "redacts") if version.updated_redaction else {}


_CONTENT_RULES: Mapping[str, Callable[[dict[str, Any], RoomVersion], dict[str, Any]]] = MappingProxyType(
    {
        "m.room.member": _member,
        "m.room.create": _create,
        "m.room.join_rules": _join_rules,
        "m.room.power_levels": _power_levels,
        "m.room.aliases": _aliases,
        "m.room.history_visibility": _history_visibility,
        "m.room.redaction": _redaction,
    }
)
