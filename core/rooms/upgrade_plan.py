"""What a room that replaces another starts with, and what becomes of the other. Pure: states in, drafts out.

Copied is what describes the room and what protects it: names, rules, encryption, power levels, bans. Memberships are not:
nobody can be made to join. Spec: Client-Server API, "Room Upgrades", server behavior.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core.events.event import Event
from core.events.power_levels import INFINITE, PowerLevels, power_level
from core.events.room_versions import RoomVersion
from core.graph.drafts import Draft
from core.ids import EventId, RoomId, StateKey, UserId

COPIED = (
    "m.room.server_acl",
    "m.room.encryption",
    "m.room.name",
    "m.room.avatar",
    "m.room.topic",
    "m.room.guest_access",
    "m.room.history_visibility",
    "m.room.join_rules",
    "m.room.canonical_alias",
)
"""With an empty state key; power levels, bans and space links are copied with changes."""
LINKS = ("m.space.parent", "m.space.child")
"""Links to other rooms, with any state key."""
FULL_LEVEL = 100

State = Mapping[StateKey, Event]


def replacement_drafts(
    state: State,
    version: RoomVersion,
    creator: UserId,
    profile: Mapping[str, Any],
    predecessor: Mapping[str, Any],
    additional_creators: Sequence[UserId],
) -> list[Draft]:
    """The first events of the new room, in order."""
    create = {**_create_content(state, version, creator, additional_creators), "predecessor": predecessor}
    final = power_levels_content(state, version, creator, create)
    raised = _raised(final, creator, version)
    drafts = [
        Draft("m.room.create", creator, create, ""),
        Draft("m.room.member", creator, {**profile, "membership": "join"}, creator),
        Draft("m.room.power_levels", creator, raised, ""),
    ]
    for kind in COPIED:
        event = state.get((kind, ""))
        if event is not None:
            content = _join_rules(event.content, version) if kind == "m.room.join_rules" else event.content
            drafts.append(Draft(kind, creator, content, ""))
    drafts += [
        Draft(event.type, creator, event.content, key)
        for (kind, key), event in state.items()
        if kind in LINKS and event.content.get("via")
    ]
    drafts += [
        Draft("m.room.member", creator, _ban(event.content), key)
        for (kind, key), event in state.items()
        if kind == "m.room.member" and event.content.get("membership") == "ban" and key != creator
    ]
    if final != raised:
        drafts.append(Draft("m.room.power_levels", creator, final, ""))
    return drafts


def predecessor_of(room_id: RoomId, tombstone: EventId | None) -> dict[str, Any]:
    """What the new create event says about the old room. From room version 12 without an event id."""
    return {"room_id": room_id} if tombstone is None else {"room_id": room_id, "event_id": tombstone}


def tombstone_draft(sender: UserId, replacement: RoomId) -> Draft:
    """The end of the old room."""
    content = {"body": "This room has been replaced", "replacement_room": replacement}
    return Draft("m.room.tombstone", sender, content, "")


def restricting_draft(state: State, sender: UserId) -> Draft | None:
    """Power levels of the old room with which ordinary members neither write nor invite; None if they are so already."""
    levels = state.get(("m.room.power_levels", ""))
    create = state.get(("m.room.create", ""))
    if levels is None or create is None:
        return None
    present = PowerLevels.from_events(create, levels)
    wanted = max(50, present.to("users_default") + 1)
    changed = {name: wanted for name in ("events_default", "invite") if present.to(name) < wanted}
    return Draft("m.room.power_levels", sender, {**levels.content, **changed}, "") if changed else None


def power_levels_content(
    state: State, version: RoomVersion, creator: UserId, create: Mapping[str, Any]
) -> dict[str, Any]:
    """The old room's power levels in the form the new version wants.

    Creators of a version that gives them every power are not listed; who had that power before gets the full level.
    """
    levels, old_create = state.get(("m.room.power_levels", "")), state.get(("m.room.create", ""))
    event = levels or old_create
    assert event is not None, "a room has a create event"
    present = PowerLevels.from_events(old_create, levels)
    content = _with_numbers(levels.content, event.version) if levels is not None else {}
    users = dict(content.get("users", {}))
    if present.of_user(creator) == INFINITE:
        users[creator] = FULL_LEVEL
    elif levels is None:
        users[creator] = max(FULL_LEVEL, present.of_user(creator))
    if version.privileged_creators:
        for user in (creator, *create.get("additional_creators", ())):
            users.pop(user, None)
    return {**content, "users": users}


def _create_content(
    state: State, version: RoomVersion, creator: UserId, additional_creators: Sequence[UserId]
) -> dict[str, Any]:
    old = state.get(("m.room.create", ""))
    kept = {} if old is None else {key: old.content[key] for key in ("type", "m.federate") if key in old.content}
    content: dict[str, Any] = {**kept, "room_version": version.id}
    if not version.implicit_creator:
        content["creator"] = creator
    others = list(dict.fromkeys(user for user in additional_creators if user != creator))
    if version.privileged_creators and others:
        content["additional_creators"] = others
    return content


def _raised(content: Mapping[str, Any], creator: UserId, version: RoomVersion) -> Mapping[str, Any]:
    """The levels with which the creator may send everything else; the same where they may already."""
    if version.privileged_creators:
        return content
    users, events = content.get("users", {}), content.get("events", {})
    numbers = [value for value in (*content.values(), *users.values(), *events.values()) if type(value) is int]
    needed = max(FULL_LEVEL, *numbers)
    return content if users.get(creator) == needed else {**content, "users": {**users, creator: needed}}


def _with_numbers(content: Mapping[str, Any], version: RoomVersion) -> dict[str, Any]:
    """Power levels with integers only, as `version` reads them; what is no level is left out."""
    result: dict[str, Any] = {}
    for key, value in content.items():
        if key in ("users", "events", "notifications"):
            given = value if isinstance(value, Mapping) else {}
            read = {name: power_level(level, version) for name, level in given.items()}
            result[key] = {name: level for name, level in read.items() if level is not None}
        elif (level := power_level(value, version)) is not None:
            result[key] = level
    return result


def _join_rules(content: Mapping[str, Any], version: RoomVersion) -> Mapping[str, Any]:
    """The join rules, or by invite where the new version does not know them."""
    rule = content.get("join_rule")
    known = {
        "knock": version.knocking,
        "restricted": version.restricted_joins,
        "knock_restricted": version.knock_restricted_joins,
    }
    return content if known.get(str(rule), True) else {"join_rule": "invite"}


def _ban(content: Mapping[str, Any]) -> dict[str, Any]:
    kept = {"reason": content["reason"]} if isinstance(content.get("reason"), str) else {}
    return {"membership": "ban", **kept}
