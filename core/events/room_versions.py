"""Room versions as data: a frozen description of each, derived from the one before.

Code asks a version what it does (`version.knocking`), never what its number is.
Spec: "Room Versions".
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from types import MappingProxyType

from core.errors import IncompatibleRoomVersion, UnsupportedRoomVersion


class EventFormat(Enum):
    """How a PDU names itself and others."""

    V1 = 1
    """The PDU carries `event_id`; prev and auth events are pairs of id and hashes. Room versions 1 and 2."""
    V3 = 3
    """The event id is the reference hash in standard base64. Room version 3."""
    V4 = 4
    """The event id is the reference hash in URL-safe base64. Room versions 4 to 11."""
    V12 = 12
    """As V4; the create event has no `room_id` and gives the room its id. From room version 12."""


class StateResolution(Enum):
    """The algorithm that merges states."""

    V1 = "1"
    V2 = "2"
    V2_1 = "2.1"


@dataclass(frozen=True, slots=True)
class RoomVersion:
    """What one room version asks of formats, authorization, redaction and state resolution."""

    id: str
    event_format: EventFormat
    state_resolution: StateResolution
    strict_canonical_json: bool = False
    """Integers in range and no floats anywhere in the event. From 6."""
    enforces_key_validity: bool = False
    """Signatures count only for keys valid at `origin_server_ts`. From 5."""
    special_cases_aliases: bool = True
    """`m.room.aliases` has its own auth rule and survives redaction. Until 5."""
    limits_notification_levels: bool = False
    """Changes of `notifications` in power levels are authorized. From 6."""
    integer_power_levels: bool = False
    """Power levels must be integers, not strings of them. From 10."""
    knocking: bool = False
    """Join rule and membership `knock`. From 7."""
    restricted_joins: bool = False
    """Join rule `restricted`. From 8."""
    keeps_authorizing_user: bool = False
    """Redaction keeps `join_authorised_via_users_server`. From 9."""
    knock_restricted_joins: bool = False
    """Join rule `knock_restricted`. From 10."""
    updated_redaction: bool = False
    """Redaction as of 11: all of the create event, `redacts`, `third_party_invite.signed`, `invite` power level."""
    redacts_in_content: bool = False
    """`redacts` stands in a redaction's content. From 11."""
    implicit_creator: bool = False
    """The creator is the create event's sender, not its content's `creator`. From 11."""
    room_id_is_create_hash: bool = False
    """The room id is the create event's reference hash, and no event lists it in `auth_events`. From 12."""
    privileged_creators: bool = False
    """Creators (sender and `additional_creators`) stand above every power level. From 12."""
    checks_redaction_sender: bool = False
    """The auth rules decide about redactions of others by domain or power level. Versions 1 and 2."""


V1 = RoomVersion("1", EventFormat.V1, StateResolution.V1, checks_redaction_sender=True)
V2 = replace(V1, id="2", state_resolution=StateResolution.V2)
V3 = replace(V2, id="3", event_format=EventFormat.V3, checks_redaction_sender=False)
V4 = replace(V3, id="4", event_format=EventFormat.V4)
V5 = replace(V4, id="5", enforces_key_validity=True)
V6 = replace(V5, id="6", strict_canonical_json=True, special_cases_aliases=False, limits_notification_levels=True)
V7 = replace(V6, id="7", knocking=True)
V8 = replace(V7, id="8", restricted_joins=True)
V9 = replace(V8, id="9", keeps_authorizing_user=True)
V10 = replace(V9, id="10", knock_restricted_joins=True, integer_power_levels=True)
V11 = replace(V10, id="11", updated_redaction=True, redacts_in_content=True, implicit_creator=True)
V12 = replace(
    V11,
    id="12",
    event_format=EventFormat.V12,
    state_resolution=StateResolution.V2_1,
    room_id_is_create_hash=True,
    privileged_creators=True,
)

ROOM_VERSIONS = MappingProxyType({v.id: v for v in (V1, V2, V3, V4, V5, V6, V7, V8, V9, V10, V11, V12)})
DEFAULT_ROOM_VERSION = V12


def room_version(version_id: object) -> RoomVersion:
    """The description of `version_id`. Raises UnsupportedRoomVersion with the ids that are known."""
    found = ROOM_VERSIONS.get(version_id) if isinstance(version_id, str) else None
    if found is None:
        known = ", ".join(ROOM_VERSIONS)
        raise UnsupportedRoomVersion(f"Room version {version_id!r} is not supported; the versions known are {known}.")
    return found


def require_compatible(version: RoomVersion, offered: list[str]) -> None:
    """Raise IncompatibleRoomVersion unless the other server lists `version` among those it supports."""
    if version.id not in offered:
        raise IncompatibleRoomVersion(
            f"The room has version {version.id}, and your server offers only {', '.join(offered)}.",
            room_version=version.id,
        )
