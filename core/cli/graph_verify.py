"""`hsctl graph verify`: what an event is called, whether its content is intact, and who signed it.

Answers for incomplete PDUs too, since the specification's own vectors are: the format is not judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nacl.signing import VerifyKey

from core.errors import BadJson, EventRefused
from core.events.canonical_json import encode
from core.events.hashes import content_hash, event_id_of, has_valid_content_hash, reference_hash
from core.events.redaction import essential, redact
from core.events.room_versions import EventFormat, RoomVersion, room_version
from core.events.signatures import is_signed_by, parse_verify_key, signatures_of
from core.events.unpadded_base64 import encode as base64


def verify_case(case: Mapping[str, Any], explain: bool = False) -> dict[str, Any]:
    """The answer to one case. Raises MatrixError with a sentence for one that is malformed.

    A server's signatures are good where at least one is of a key given, and every one that is of a key given is right;
    servers that signed, and those whose keys are given, are answered for.
    """
    version, pdu, keys = room_version(case.get("room_version")), case.get("event"), _keys(case.get("keys", {}))
    if not isinstance(pdu, dict):
        raise BadJson("`event` must be a PDU, a JSON object.")
    encode(pdu, strict=version.strict_canonical_json)
    pdu = without_label(pdu, version)
    message = encode(essential(pdu, version), strict=False)
    signed = pdu.get("signatures")
    servers = sorted({*(signed if isinstance(signed, dict) else ()), *keys})
    answer: dict[str, Any] = {
        "event_id": _event_id(pdu, version),
        "content_hash_ok": has_valid_content_hash(pdu),
        "signatures": {server: _is_signed(pdu, server, keys.get(server, {}), message) for server in servers},
        "redacted": redact(pdu, version),
    }
    if explain:
        answer["trace"] = {
            "content_hash": content_hash(pdu),
            "reference_hash": base64(reference_hash(pdu, version)),
            "signed_json": message.decode(),
        }
    return answer


def without_label(pdu: dict[str, Any], version: RoomVersion) -> dict[str, Any]:
    """`pdu` without an `event_id` that only labels it, as collections of events do from room version 3.

    It is a label where it is the hash of the rest; any other value is part of the event, and of its hash.
    """
    if version.event_format is EventFormat.V1 or "event_id" not in pdu:
        return pdu
    rest = {key: value for key, value in pdu.items() if key != "event_id"}
    return rest if event_id_of(rest, version) == pdu["event_id"] else pdu


def _event_id(pdu: Mapping[str, Any], version: RoomVersion) -> str | None:
    try:
        return event_id_of(pdu, version)
    except EventRefused:
        return None  # a PDU of room version 1 or 2 that lacks its id has none


def _is_signed(pdu: Mapping[str, Any], server: str, keys: Mapping[str, VerifyKey], message: bytes) -> bool:
    known = {key_id: text for key_id, text in signatures_of(pdu, server).items() if key_id in keys}
    return bool(known) and all(is_signed_by(message, text, keys[key_id]) for key_id, text in known.items())


def _keys(given: object) -> dict[str, dict[str, VerifyKey]]:
    if not isinstance(given, dict) or not all(isinstance(entry, dict) for entry in given.values()):
        raise BadJson("`keys` must be an object that gives each server an object of keys.")
    return {server: {key_id: _key(server, key_id, text) for key_id, text in of.items()} for server, of in given.items()}


def _key(server: str, key_id: str, text: object) -> VerifyKey:
    try:
        return parse_verify_key(text if isinstance(text, str) else "")
    except ValueError as error:
        raise BadJson(f"The key {key_id} of {server} must be 32 bytes in unpadded Base64.") from error
