"""What an uploaded key must look like. Pure: a JSON value in, a checked one out, or a sentence that says what is wrong.

What a device says of itself is verified here wherever it can be: everybody else builds on it. Where the device gives no
Ed25519 key, or nothing that could be a signature with it, there is nothing to verify, and no client will believe it.
Signatures of one-time keys are only checked for their form: whoever claims the key verifies it, and verifying fifty at
each upload would cost more than all the rest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

from core.errors import BadJson, BadSignature, EventRefused, InvalidParam, MatrixError, MissingParam, TooLarge
from core.events import unpadded_base64
from core.events.signatures import parse_verify_key, signed_bytes, verify_json
from core.storage.one_time_keys import MAX_ALGORITHM_BYTES, MAX_KEY_ID_BYTES, UploadedKey

MAX_DEVICE_KEYS_BYTES = 65_536
"""Largest identity or cross-signing key object."""
MAX_ONE_TIME_KEY_BYTES = 4_096
MAX_ENTRIES = 50
"""How many algorithms, keys or signatures one key object lists at most."""
MAX_KEYS_PER_UPLOAD = 1_000

KEY_BYTES = 32
SIGNATURE_BYTES = 64

_AS_WRITTEN = re.compile(r"[A-Za-z0-9+/]{43}")
"""32 bytes as clients write them."""


def checked_device_keys(keys: Any, user_id: str, device_id: str) -> dict[str, Any]:
    """The identity keys of one device, without `unsigned` and without signatures of other users.

    Raises: `BadJson`, `TooLarge`; `InvalidParam` with `M_INVALID_SIGNATURE` where the device's signature is wrong.
    Spec: Client-Server API, "Device keys".
    """
    if not isinstance(keys, dict):
        raise BadJson("'device_keys' must be an object.")
    for name, wanted in (("user_id", user_id), ("device_id", device_id)):
        if keys.get(name) != wanted:
            raise BadJson(f"'device_keys.{name}' must be {wanted}, as the access token is of that one.")
    algorithms = keys.get("algorithms")
    if not isinstance(algorithms, list) or not all(isinstance(one, str) for one in algorithms):
        raise BadJson("'device_keys.algorithms' must be a list of strings.")
    public_keys: Any = keys.get("keys")
    if not _are_strings(public_keys):
        raise BadJson("'device_keys.keys' must be an object of strings.")
    if len(algorithms) > MAX_ENTRIES or len(public_keys) > MAX_ENTRIES:
        raise BadJson(f"'device_keys' may list at most {MAX_ENTRIES} algorithms and {MAX_ENTRIES} keys.")
    if not _are_signatures(keys.get("signatures")):
        raise BadJson("'device_keys.signatures' must be an object of users, key ids and signatures.")
    signatures = checked_signatures(keys, "device_keys").get(user_id, {})
    cleaned = {name: value for name, value in keys.items() if name not in ("unsigned", "signatures")}
    cleaned["signatures"] = {user_id: signatures}
    _check_size(cleaned, "device_keys", MAX_DEVICE_KEYS_BYTES)
    try:
        signed_bytes(cleaned)
    except EventRefused as error:
        raise BadJson(f"'device_keys' has no canonical JSON form: {error.sentence}") from error
    own_id = f"ed25519:{device_id}"
    if is_public_key(public_keys.get(own_id, "")) and _is_signature(signatures.get(own_id, "")):
        check_signature(cleaned, user_id, own_id, public_keys[own_id], "device_keys")
    return cleaned


def checked_one_time_keys(keys: Any, name: str) -> list[UploadedKey]:
    """The keys of an upload; `name` is the body's key they were found under. Raises: `BadJson`, `TooLarge`."""
    if not isinstance(keys, dict):
        raise BadJson(f"'{name}' must be an object.")
    if len(keys) > MAX_KEYS_PER_UPLOAD:
        raise BadJson(f"'{name}' may have at most {MAX_KEYS_PER_UPLOAD} keys, not {len(keys)}.")
    return [_one_time_key(full_id, key, name) for full_id, key in keys.items()]


def checked_fallback_keys(keys: Any, name: str) -> list[UploadedKey]:
    """As `checked_one_time_keys`; at most one of each algorithm."""
    found = checked_one_time_keys(keys, name)
    if len({key.algorithm for key in found}) < len(found):
        raise BadJson(f"'{name}' may have only one key of each algorithm.")
    return found


def checked_cross_signing_key(key: Any, usage: str, user_id: str) -> tuple[str, dict[str, Any]]:
    """(public key, the object without `unsigned` and without signatures of other users) of a cross-signing key.

    Raises: `InvalidParam`, `TooLarge`. Its signatures are not verified here.
    """
    name = f"{usage}_key"
    if not isinstance(key, dict):
        raise InvalidParam(f"'{name}' must be an object.")
    if key.get("user_id") != user_id:
        raise InvalidParam(f"'{name}.user_id' must be {user_id}.")
    usages = key.get("usage")
    if not isinstance(usages, list) or usage not in usages or not all(isinstance(one, str) for one in usages):
        raise InvalidParam(f"'{name}.usage' must be a list with {usage!r} in it.")
    public_key = public_key_of(key, name)
    signatures = checked_signatures(key, name, required=False).get(user_id, {})
    cleaned = {part: value for part, value in key.items() if part not in ("unsigned", "signatures")}
    if signatures:
        cleaned["signatures"] = {user_id: signatures}
    _check_size(cleaned, name, MAX_DEVICE_KEYS_BYTES)
    return public_key, cleaned


def public_key_of(key: Mapping[str, Any], name: str) -> str:
    """The one Ed25519 public key of a cross-signing key object. Raises: `InvalidParam`."""
    keys = _strings(key.get("keys"), f"{name}.keys")
    if len(keys) != 1:
        raise InvalidParam(f"'{name}.keys' must have exactly one key, not {len(keys)}.")
    ((key_id, public_key),) = keys.items()
    if key_id != f"ed25519:{public_key}" or not is_public_key(public_key):
        raise InvalidParam(f"'{name}.keys' must map ed25519:<key> to the same <key>, {KEY_BYTES} bytes in Base64.")
    return public_key


def check_signature(key: Mapping[str, Any], user_id: str, key_id: str, public_key: str, name: str) -> None:
    """Raise `InvalidParam` with `M_INVALID_SIGNATURE` unless the user signed `key` with the public key of that id."""
    try:
        verify_json(key, user_id, key_id, parse_verify_key(public_key))
    except (BadSignature, ValueError) as error:
        reason = error.sentence if isinstance(error, MatrixError) else f"The key {key_id} is not an Ed25519 key."
        raise InvalidParam(f"'{name}' is not signed as it must be: {reason}", errcode="M_INVALID_SIGNATURE") from error
    except EventRefused as error:
        raise InvalidParam(f"'{name}' has no canonical JSON form: {error.sentence}") from error


def checked_signatures(key: Mapping[str, Any], name: str, required: bool = True) -> dict[str, dict[str, str]]:
    """The `signatures` of a key object: user, key id, signature. Raises: `MissingParam`, `InvalidParam`."""
    signatures = key.get("signatures")
    if signatures is None and not required:
        return {}
    if signatures is None:
        raise MissingParam(f"'{name}.signatures' is required.")
    if not isinstance(signatures, dict):
        raise InvalidParam(f"'{name}.signatures' must be an object.")
    found = {user: _strings(entry, f"{name}.signatures.{user}"[:200]) for user, entry in signatures.items()}
    if len(found) > MAX_ENTRIES or any(len(entry) > MAX_ENTRIES for entry in found.values()):
        raise InvalidParam(f"'{name}.signatures' may have at most {MAX_ENTRIES} entries.")
    return found


def is_public_key(text: str) -> bool:
    """Whether `text` is 32 bytes in Base64."""
    if _AS_WRITTEN.fullmatch(text) is not None:
        return True
    try:
        return len(unpadded_base64.decode(text)) == KEY_BYTES
    except ValueError:
        return False


def _one_time_key(full_id: str, key: Any, name: str) -> UploadedKey:
    algorithm, colon, key_id = full_id.partition(":")
    if not (algorithm and colon and key_id):
        raise BadJson(f"'{name}' names a key {full_id[:100]!r}; it must be <algorithm>:<key id>.")
    if len(algorithm.encode()) > MAX_ALGORITHM_BYTES or len(key_id.encode()) > MAX_KEY_ID_BYTES:
        raise BadJson(
            f"'{name}' has an id that is too long; {MAX_ALGORITHM_BYTES} bytes of algorithm and {MAX_KEY_ID_BYTES} of "
            "key id are allowed."
        )
    if isinstance(key, dict):
        is_one = isinstance(key.get("key"), str) and _are_signatures(key.get("signatures"))
    else:
        is_one = isinstance(key, str) and not algorithm.startswith("signed_")
    if not is_one:
        raise BadJson(f"'{name}.{full_id}' must be an object with 'key', a string, and 'signatures', an object.")
    body = orjson.dumps(key, option=orjson.OPT_SORT_KEYS)
    if len(body) > MAX_ONE_TIME_KEY_BYTES:
        raise TooLarge(f"'{name}.{full_id}' is larger than the {MAX_ONE_TIME_KEY_BYTES} bytes allowed.")
    return UploadedKey(algorithm, key_id, body)


def _are_signatures(value: Any) -> bool:
    return isinstance(value, dict) and all(_are_strings(entry) for entry in value.values())


def _are_strings(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(one, str) for one in value.values())


def _is_signature(text: str) -> bool:
    """Whether `text` has the length of an Ed25519 signature in Base64."""
    try:
        return len(unpadded_base64.decode(text)) == SIGNATURE_BYTES
    except ValueError:
        return False


def _strings(value: Any, name: str) -> dict[str, str]:
    if not _are_strings(value):
        raise InvalidParam(f"'{name}' must be an object of strings.")
    found: dict[str, str] = value
    return found


def _check_size(key: Mapping[str, Any], name: str, limit: int) -> None:
    if len(orjson.dumps(key)) > limit:
        raise TooLarge(f"'{name}' is larger than the {limit} bytes allowed.")
