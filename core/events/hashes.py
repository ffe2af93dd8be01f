"""Hashes: what an event is called, and whether its content is what its sender wrote.

The content hash covers the event as written; the reference hash covers what survives redaction, content hash
included, and is the event's id from room version 3 and the room's from 12.

Spec: Server-Server API, "Calculating the reference hash for an event", "Calculating the content hash for an event";
room versions 3 and 4, "Event IDs".
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from core.errors import EventRefused
from core.events import unpadded_base64
from core.events.canonical_json import encode, encode_checked
from core.events.redaction import essential
from core.events.room_versions import EventFormat, RoomVersion
from core.ids import EventId, RoomId


def content_hash(pdu: Mapping[str, Any], *, has_floats: bool = True) -> str:
    """The SHA-256 over all of `pdu` but `unsigned`, `signatures` and `hashes`, as unpadded Base64.

    A caller who has parsed the event in a strict room version may pass `has_floats=False`, which saves the search for
    them. Raises EventRefused where `pdu` has no canonical form.
    """
    return unpadded_base64.encode(_content_digest(pdu, has_floats))


def has_valid_content_hash(pdu: Mapping[str, Any], *, has_floats: bool = True) -> bool:
    """Whether `hashes.sha256` is the hash of what stands there. If not, the redacted copy is what may be used.

    `has_floats` is as for `content_hash`.

    Spec: Server-Server API, "Validating hashes and signatures on received events".
    """
    hashes = pdu.get("hashes")
    claimed = hashes.get("sha256") if isinstance(hashes, Mapping) else None
    if not isinstance(claimed, str):
        return False
    try:
        digest = _content_digest(pdu, has_floats)
        return unpadded_base64.encode(digest) == claimed or unpadded_base64.decode(claimed) == digest
    except (ValueError, EventRefused):
        return False


def reference_hash(pdu: Mapping[str, Any], version: RoomVersion) -> bytes:
    """The 32 bytes of SHA-256 over the redacted event without signatures. Raises EventRefused as `content_hash`."""
    encoded = encode_checked if version.strict_canonical_json else _encode_lax
    return sha256(encoded(essential(pdu, version))).digest()


def event_id_of(pdu: Mapping[str, Any], version: RoomVersion) -> EventId:
    """The event's id: the one it carries in room versions 1 and 2, its reference hash from 3.

    Raises EventRefused where it should carry one and does not, or has no canonical form.
    """
    if version.event_format is EventFormat.V1:
        event_id = pdu.get("event_id")
        if not isinstance(event_id, str):
            raise EventRefused("An event of room version 1 or 2 must carry `event_id`, a string.")
        return EventId(event_id)
    return event_id_of_digest(reference_hash(pdu, version), version)


def event_id_of_digest(digest: bytes, version: RoomVersion) -> EventId:
    """The event id that a reference hash is written as: standard Base64 in room version 3, URL-safe from 4."""
    if version.event_format is EventFormat.V3:
        return EventId("$" + unpadded_base64.encode(digest))
    return EventId("$" + unpadded_base64.encode_url_safe(digest))


def room_id_of_create(pdu: Mapping[str, Any], version: RoomVersion) -> RoomId:
    """The id of the room that a create event founds: its own event id under another sigil from room version 12.

    Raises EventRefused where, before 12, the event carries no `room_id`.
    """
    if version.room_id_is_create_hash:
        return RoomId("!" + event_id_of(pdu, version)[1:])
    room_id = pdu.get("room_id")
    if not isinstance(room_id, str):
        raise EventRefused("An event before room version 12 must carry `room_id`, a string.")
    return RoomId(room_id)


def _content_digest(pdu: Mapping[str, Any], has_floats: bool) -> bytes:
    covered = dict(pdu)
    covered.pop("unsigned", None)
    covered.pop("signatures", None)
    covered.pop("hashes", None)
    return sha256(_encode_lax(covered) if has_floats else encode_checked(covered)).digest()


def _encode_lax(value: Mapping[str, Any]) -> bytes:
    return encode(value, strict=False)
