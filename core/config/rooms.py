"""Rooms: versions, defaults, directory, retention."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.config.parsers import boolean, choice, duration_ms, either, integer, list_of, mapping, number, text
from core.config.settings import setting


def room_version(value: Any) -> str:
    """A room version this server supports; a bare number will do."""
    from core.events.room_versions import ROOM_VERSIONS  # keeps `hsctl config` from loading the event code

    found = str(value) if type(value) is int else value
    if not isinstance(found, str) or found not in ROOM_VERSIONS:
        raise ValueError("one of " + ", ".join(repr(str(known)) for known in ROOM_VERSIONS))
    return found


@dataclass(frozen=True, slots=True)
class RoomsConfig:
    """What rooms are like by default, and what users may do with them."""

    default_room_version: str = setting("12", room_version, "Version of new rooms.")
    encryption_enabled_by_default_for_room_type: str = setting(
        "off",
        either(choice("off", "all", "invite"), choice(False)),
        "New rooms that are encrypted: off, invite or all.",
    )
    default_power_level_content_override: Mapping[str, Any] = setting(
        {}, mapping, "Changes to the power levels of new rooms, by preset."
    )
    block_non_admin_invites: bool = setting(False, boolean, "Let only server administrators invite.")
    enable_search: bool = setting(True, boolean, "Let users search messages.")
    enable_room_list_search: bool = setting(True, boolean, "Let users search the room directory.")
    allow_public_rooms_without_auth: bool = setting(False, boolean, "Show the room directory without signing in.")
    alias_creation_rules: tuple[Mapping[str, Any], ...] | None = setting(
        None, list_of(mapping), "Who may make which aliases: mappings with user_id, alias, room_id, action; unset, all."
    )
    room_list_publication_rules: tuple[Mapping[str, Any], ...] | None = setting(
        None, list_of(mapping), "Who may publish which rooms; unset, all."
    )
    require_membership_for_aliases: bool = setting(True, boolean, "Only members may make aliases of a room.")
    limit_remote_rooms_enabled: bool = setting(
        False, boolean, "Refuse joins of rooms that are too complex.", key="limit_remote_rooms.enabled"
    )
    limit_remote_rooms_complexity: float = setting(
        1.0,
        number(),
        "What is too complex; a room's state entries, divided by 500.",
        key="limit_remote_rooms.complexity",
    )
    limit_remote_rooms_complexity_error: str = setting(
        "Your homeserver is unable to join rooms this large or complex. Please speak to your server administrator.",
        text,
        "What the user is told.",
        key="limit_remote_rooms.complexity_error",
    )
    limit_remote_rooms_admins_can_join: bool = setting(
        False, boolean, "Whether administrators may join them anyway.", key="limit_remote_rooms.admins_can_join"
    )
    forgotten_room_retention_period: int | None = setting(
        None,
        duration_ms,
        "How long the history of rooms that every local user forgot is kept; unset, for ever.",
        example="28d",
    )
    forget_rooms_on_leave: bool = setting(False, boolean, "Forget rooms as soon as they are left.")
    exclude_rooms_from_sync: tuple[str, ...] = setting([], list_of(text), "Room ids that clients never hear of.")
    room_prejoin_state: Mapping[str, Any] = setting(
        {}, mapping, "State shown with an invite: additional_event_types, disable_default_event_types."
    )
    include_profile_data_on_invite: bool = setting(True, boolean, "Put name and avatar of the invited into the invite.")
    require_auth_for_profile_requests: bool = setting(False, boolean, "Show profiles only to those who sign in.")
    limit_profile_requests_to_users_who_share_rooms: bool = setting(
        False, boolean, "Show profiles only to users who share a room."
    )
    allow_per_room_profiles: bool = setting(True, boolean, "Let users have another name or avatar in a room.")
    max_event_delay_duration: int | None = setting(
        "1d", duration_ms, "Longest delay of a delayed event; null, none allowed.", nullable=True
    )
    max_delayed_events_per_user: int = setting(
        100, integer(), "So many delayed events of one user may wait at a time; 0, none."
    )
    retention: Mapping[str, Any] = setting(
        {},
        mapping,
        "Deletion of old messages: enabled, default_policy, allowed_lifetime_min, allowed_lifetime_max, purge_jobs.",
    )
    auto_accept_invites: Mapping[str, Any] = setting(
        {},
        mapping,
        "Accept invites for users: enabled, only_for_direct_messages, only_from_local_users, worker_to_run_on.",
    )
    server_notices: Mapping[str, Any] | None = setting(
        None,
        mapping,
        "Notices to users: system_mxid_localpart, system_mxid_display_name, system_mxid_avatar_url, room_name.",
    )
