"""Building events: from what a local user wants to say to a complete, hashed and signed `Event`.

Nothing is parsed and nothing is judged here: the caller knows the room and has asked the auth rules. An event costs
two canonical encodings, one for the content hash and one that signature and event id share, since both cover the
redacted form without signatures.

Spec: Server-Server API, "Adding hashes and signatures to outgoing events"; the room versions' "Event format".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from core.errors import EventRefused
from core.events import unpadded_base64
from core.events.canonical_json import encode
from core.events.event import Event
from core.events.hashes import event_id_of_digest, reference_hash
from core.events.limits import MAX_EVENT_BYTES, MAX_STRICT_DEPTH, check_field
from core.events.redaction import essential
from core.events.room_versions import EventFormat, RoomVersion
from core.events.signatures import SigningKey
from core.ids import EventId, RoomId, ServerName, UserId

_SIGNATURE_BYTES = 160
"""More than the JSON of one signature takes beside its server name and key id."""


def build_event(
    version: RoomVersion,
    room_id: RoomId | None,
    event_type: str,
    sender: UserId,
    content: Mapping[str, Any],
    *,
    prev_events: Sequence[Event | EventId],
    auth_events: Sequence[Event | EventId],
    depth: int,
    origin_server_ts: int,
    server: ServerName,
    signing_key: SigningKey,
    state_key: str | None = None,
    redacts: EventId | None = None,
    unsigned: Mapping[str, Any] | None = None,
    opaque_id: str | None = None,
) -> Event:
    """A complete event, signed by `server`.

    `room_id` is None for a create event of room version 12, which founds the id. `redacts` is put where the version
    keeps it. Room versions 1 and 2 need whole events as references, for their hashes, and an `opaque_id` for the
    event's id. `content` becomes the event's, so the caller must not change it afterwards. Raises EventRefused where
    the content has no canonical form of the version, or the event would be too large.
    """
    if version.redacts_in_content and redacts is not None:
        content = {**content, "redacts": redacts}
    pdu: dict[str, Any] = {
        "type": event_type,
        "sender": sender,
        "content": content,
        "prev_events": _references(prev_events, version),
        "auth_events": _references(auth_events, version),
        "depth": min(depth, MAX_STRICT_DEPTH),
        "origin_server_ts": origin_server_ts,
    }
    if redacts is not None and not version.redacts_in_content:
        pdu["redacts"] = redacts
    _name(pdu, version, room_id, state_key, f"${opaque_id}:{server}" if opaque_id is not None else None)
    event_id = _hash_and_sign(pdu, version, server, signing_key)
    if unsigned:
        pdu["unsigned"] = dict(unsigned)
    return Event(
        version,
        event_id,
        RoomId("!" + event_id[1:]) if "room_id" not in pdu else pdu["room_id"],
        event_type,
        sender,
        state_key,
        content,
        _ids(prev_events),
        _ids(auth_events),
        pdu["depth"],
        origin_server_ts,
        redacts if event_type == "m.room.redaction" else None,
        pdu,
    )


def _name(
    pdu: dict[str, Any], version: RoomVersion, room_id: RoomId | None, state_key: str | None, event_id: str | None
) -> None:
    """Add to `pdu`, in place, what says where it belongs, as far as the version writes it into events."""
    check_field("type", pdu["type"])
    if state_key is not None:
        check_field("state_key", state_key)
        pdu["state_key"] = state_key
    if not (version.room_id_is_create_hash and pdu["type"] == "m.room.create"):
        if room_id is None:
            raise ValueError("only a create event from room version 12 has no room id yet")
        pdu["room_id"] = room_id
    if version.event_format is EventFormat.V1:
        if event_id is None:
            raise ValueError("events of room versions 1 and 2 need an opaque id")
        pdu["event_id"] = event_id


def _hash_and_sign(pdu: dict[str, Any], version: RoomVersion, server: ServerName, key: SigningKey) -> EventId:
    """Add `hashes` and `signatures` to `pdu`, in place, and return its event id."""
    covered = encode(pdu, strict=version.strict_canonical_json)
    pdu["hashes"] = {"sha256": unpadded_base64.encode(sha256(covered).digest())}
    size = len(covered) + _SIGNATURE_BYTES + len(server) + len(key.key_id)
    if size > MAX_EVENT_BYTES:
        raise EventRefused(
            f"The event would have about {size} bytes; at most {MAX_EVENT_BYTES} are allowed.", errcode="M_TOO_LARGE"
        )
    covered_by_signature = encode(essential(pdu, version), strict=False)
    pdu["signatures"] = {server: {key.key_id: unpadded_base64.encode(key.sign(covered_by_signature))}}
    if version.event_format is EventFormat.V1:
        return EventId(pdu["event_id"])
    return event_id_of_digest(sha256(covered_by_signature).digest(), version)


def _references(events: Sequence[Event | EventId], version: RoomVersion) -> list[Any]:
    if version.event_format is not EventFormat.V1:
        return [event if isinstance(event, str) else event.event_id for event in events]
    pairs = []
    for event in events:
        if isinstance(event, str):
            raise ValueError("room versions 1 and 2 refer to events with their hashes, so whole events are needed")
        digest = unpadded_base64.encode(reference_hash(event.pdu, version))
        pairs.append([event.event_id, {"sha256": digest}])
    return pairs


def _ids(events: Sequence[Event | EventId]) -> tuple[EventId, ...]:
    return tuple([event if isinstance(event, str) else event.event_id for event in events])
