"""Event formats: from JSON somebody sent to an `Event`, or a sentence why it is none.

The first of the checks on receipt of a PDU. Everything later may rely on it: the fields have their types, sizes are
bounded, and the whole has canonical bytes. `content` stays what the sender wrote; who reads it checks what they read.

Spec: Server-Server API, "Checks performed on receipt of a PDU"; room versions 1, 3, 4, 6, 11 and 12, "Event format".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.errors import EventRefused
from core.events.canonical_json import encode
from core.events.event import Event
from core.events.hashes import event_id_of
from core.events.limits import (
    MAX_AUTH_EVENTS,
    MAX_DEPTH,
    MAX_PREV_EVENTS,
    MAX_STRICT_DEPTH,
    MAX_TIMESTAMP,
    check_field,
    check_size,
)
from core.events.room_versions import EventFormat, RoomVersion
from core.ids import EventId, RoomId, is_event_id, is_room_id, is_user_id


def parse_event(pdu: Mapping[str, Any], version: RoomVersion, event_id: EventId | None = None) -> Event:
    """Check `pdu` against the format of `version` and read it.

    The event id is computed, or read in room versions 1 and 2, unless one is given, which is then believed. Neither
    hashes nor signatures are checked here. Raises EventRefused with a sentence that names the field.
    """
    if not isinstance(pdu, dict):
        raise EventRefused("An event must be a JSON object.")
    check_size(encode(pdu, strict=version.strict_canonical_json))
    _check_text(pdu)
    _check_numbers(pdu, version)
    _check_objects(pdu)
    prev_events = _references(pdu, "prev_events", MAX_PREV_EVENTS, version)
    auth_events = _references(pdu, "auth_events", MAX_AUTH_EVENTS, version)
    if event_id is None:
        event_id = event_id_of(pdu, version)
        if version.event_format is EventFormat.V1:
            _check_event_id(event_id)
    return _event(version, event_id, _room_id(pdu, version, event_id), pdu, prev_events, auth_events)


def event_from_stored(version: RoomVersion, event_id: EventId, room_id: RoomId, pdu: Mapping[str, Any]) -> Event:
    """The event that `parse_event` once made of `pdu`. Nothing is checked: for what comes from our own database."""
    if version.event_format is EventFormat.V1:
        prev_events = tuple([reference[0] for reference in pdu["prev_events"]])
        auth_events = tuple([reference[0] for reference in pdu["auth_events"]])
    else:
        prev_events, auth_events = tuple(pdu["prev_events"]), tuple(pdu["auth_events"])
    return _event(version, event_id, room_id, pdu, prev_events, auth_events)


def _event(
    version: RoomVersion,
    event_id: EventId,
    room_id: RoomId,
    pdu: Mapping[str, Any],
    prev_events: tuple[EventId, ...],
    auth_events: tuple[EventId, ...],
) -> Event:
    event_type, content = pdu["type"], pdu["content"]
    return Event(
        version,
        event_id,
        room_id,
        event_type,
        pdu["sender"],
        pdu.get("state_key"),
        content,
        prev_events,
        auth_events,
        pdu["depth"],
        pdu["origin_server_ts"],
        redacts_of(pdu, version) if event_type == "m.room.redaction" else None,
        pdu,
    )


def redacts_of(pdu: Mapping[str, Any], version: RoomVersion) -> EventId | None:
    """The event a redaction names: in its content from room version 11, beside it before. None where it names none."""
    target = pdu["content"].get("redacts") if version.redacts_in_content else pdu.get("redacts")
    return EventId(target) if isinstance(target, str) and is_event_id(target) else None


def _check_text(pdu: Mapping[str, Any]) -> None:
    event_type, sender = pdu.get("type"), pdu.get("sender")
    if not isinstance(event_type, str):
        raise EventRefused("`type` must be a string.")
    check_field("type", event_type)
    if not isinstance(sender, str) or not is_user_id(sender):
        raise EventRefused("`sender` must be a user id, `@localpart:server`, of at most 255 bytes.")
    if "state_key" in pdu:
        state_key = pdu["state_key"]
        if not isinstance(state_key, str):
            raise EventRefused("`state_key` must be a string, or be left out.")
        check_field("state_key", state_key)


def _check_numbers(pdu: Mapping[str, Any], version: RoomVersion) -> None:
    depth, timestamp = pdu.get("depth"), pdu.get("origin_server_ts")
    deepest = MAX_STRICT_DEPTH if version.strict_canonical_json else MAX_DEPTH
    if type(depth) is not int or not 0 <= depth <= deepest:
        raise EventRefused(f"`depth` must be an integer between 0 and {deepest}.")
    if type(timestamp) is not int or not -MAX_TIMESTAMP <= timestamp <= MAX_TIMESTAMP:
        raise EventRefused("`origin_server_ts` must be an integer, the milliseconds since 1970.")


def _check_objects(pdu: Mapping[str, Any]) -> None:
    if not isinstance(pdu.get("content"), dict):
        raise EventRefused("`content` must be an object.")
    hashes = pdu.get("hashes")
    if not isinstance(hashes, dict) or not isinstance(hashes.get("sha256"), str):
        raise EventRefused("`hashes` must be an object with a string `sha256`.")
    signatures = pdu.get("signatures")
    if not isinstance(signatures, dict) or not all(isinstance(entry, dict) for entry in signatures.values()):
        raise EventRefused("`signatures` must be an object with an object for each server.")
    if not isinstance(pdu.get("unsigned", {}), dict):
        raise EventRefused("`unsigned` must be an object, or be left out.")


def _references(pdu: Mapping[str, Any], field: str, most: int, version: RoomVersion) -> tuple[EventId, ...]:
    references = pdu.get(field)
    if not isinstance(references, list):
        raise EventRefused(f"`{field}` must be a list.")
    if len(references) > most:
        raise EventRefused(f"`{field}` has {len(references)} entries; at most {most} are allowed.")
    if version.event_format is EventFormat.V1:
        for pair in references:
            if not isinstance(pair, list) or len(pair) != 2 or not isinstance(pair[1], dict):
                raise EventRefused(f"`{field}` must hold pairs of an event id and its hashes.")
        references = [pair[0] for pair in references]
    for reference in references:
        if not isinstance(reference, str) or not is_event_id(reference):
            raise EventRefused(f"`{field}` must hold event ids, `$` and at most 254 bytes.")
    return tuple(references)


def _check_event_id(event_id: EventId) -> None:
    if not is_event_id(event_id) or ":" not in event_id:
        raise EventRefused("`event_id` must be `$opaque:server`, of at most 255 bytes.")


def _room_id(pdu: Mapping[str, Any], version: RoomVersion, event_id: EventId) -> RoomId:
    if version.room_id_is_create_hash and pdu["type"] == "m.room.create":
        return RoomId("!" + event_id[1:])  # one that carries a `room_id` breaks auth rule 1.2
    room_id = pdu.get("room_id")
    if not isinstance(room_id, str) or not is_room_id(room_id):
        raise EventRefused("`room_id` must be a room id, `!` and at most 254 bytes.")
    return RoomId(room_id)
