"""Server keys: the object in which a server publishes its signing keys, and which key counts when.

Pure: the time of fetching is an argument, and who fetches is core.federation's business.

Spec: Server-Server API, "Retrieving server keys"; fragment v5-signing-requirements.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from nacl.signing import VerifyKey

from core.errors import BadJson, BadSignature
from core.events import unpadded_base64
from core.events.event import Event
from core.events.room_versions import RoomVersion
from core.events.signatures import ALGORITHM, SigningKey, parse_verify_key, sign_json, signatures_of, verify_json
from core.ids import ServerName, is_server_name

LONGEST_VALIDITY_MS = 7 * 24 * 3600 * 1000
"""A key counts for at most this long after it was fetched, whatever its server says."""

MAX_KEYS = 100
"""Most keys, current and old each, that are taken from one server."""


@dataclass(frozen=True, slots=True)
class OldVerifyKey:
    """A key its server no longer signs with; `expired_ts` is the last millisecond it did."""

    key: VerifyKey
    expired_ts: int


@dataclass(frozen=True, slots=True)
class ServerKeys:
    """The keys a server published, as fetched at `fetched_ts` (milliseconds). `published` is the signed object."""

    server_name: ServerName
    verify_keys: Mapping[str, VerifyKey]
    old_verify_keys: Mapping[str, OldVerifyKey]
    valid_until_ts: int
    fetched_ts: int
    published: Mapping[str, Any]

    @property
    def trusted_until_ts(self) -> int:
        """Until when the current keys count: what the server says, and at most seven days after fetching."""
        return min(self.valid_until_ts, self.fetched_ts + LONGEST_VALIDITY_MS)

    def for_request(self, key_id: str, now_ts: int) -> VerifyKey | None:
        """The key that may sign a request at `now_ts`: a current one, still trusted."""
        return self.verify_keys.get(key_id) if now_ts <= self.trusted_until_ts else None

    def for_event(self, key_id: str, version: RoomVersion, origin_server_ts: int) -> VerifyKey | None:
        """The key of that id if it may have signed an event of that time, or None.

        From room version 5 a current key must be valid, and an old one not yet expired, at `origin_server_ts`. Before,
        any key the server ever published counts.
        """
        key, old = self.verify_keys.get(key_id), self.old_verify_keys.get(key_id)
        if not version.enforces_key_validity:
            return key or (old.key if old is not None else None)
        if key is not None and origin_server_ts <= self.trusted_until_ts:
            return key
        if old is not None and origin_server_ts <= old.expired_ts:
            return old.key
        return None


def minimum_valid_until_ts(events: Iterable[Event]) -> int:
    """What to ask a notary for so that its keys count for all of `events`: 0 where only versions before 5 are asked."""
    return max((event.origin_server_ts for event in events if event.version.enforces_key_validity), default=0)


def parse_server_keys(published: object, server: str, fetched_ts: int) -> ServerKeys:
    """Read and verify the key object that `server` published; notaries pass the same object on.

    It must name the server and be signed with a current key of its own, and no signature of a current key may be wrong.
    Raises BadJson for a malformed object, BadSignature for one nobody vouches for.
    """
    if not isinstance(published, dict) or published.get("server_name") != server or not is_server_name(server):
        raise BadJson("`server_name` must be the server whose keys were asked for.")
    valid_until_ts = _timestamp(published, "valid_until_ts")
    verify_keys = _keys(published, "verify_keys")
    if not verify_keys:
        raise BadJson(f"`verify_keys` must hold at least one {ALGORITHM} key.")
    old_keys = {
        key_id: OldVerifyKey(key, _timestamp(published["old_verify_keys"][key_id], "expired_ts"))
        for key_id, key in _keys(published, "old_verify_keys").items()
    }
    signed_with = [key_id for key_id in signatures_of(published, server) if key_id in verify_keys]
    if not signed_with:
        raise BadSignature(f"{server} did not sign its keys with any of them.")
    for key_id in signed_with:
        verify_json(published, server, key_id, verify_keys[key_id])
    return ServerKeys(ServerName(server), verify_keys, old_keys, valid_until_ts, fetched_ts, published)


def build_server_keys(
    server: ServerName, keys: Iterable[SigningKey], old_keys: Mapping[str, OldVerifyKey], valid_until_ts: int
) -> dict[str, Any]:
    """The signed object to publish under `/_matrix/key/v2/server`."""
    signing = list(keys)
    published: dict[str, Any] = {
        "server_name": server,
        "valid_until_ts": valid_until_ts,
        "verify_keys": {key.key_id: {"key": unpadded_base64.encode(bytes(key.verify_key))} for key in signing},
        "old_verify_keys": {
            key_id: {"key": unpadded_base64.encode(bytes(old.key)), "expired_ts": old.expired_ts}
            for key_id, old in old_keys.items()
        },
    }
    for key in signing:
        published = sign_json(published, server, key)
    return published


def _keys(published: Mapping[str, Any], field: str) -> dict[str, VerifyKey]:
    """The Ed25519 keys under `field`; keys of other algorithms are passed over."""
    entries = published.get(field, {})
    if not isinstance(entries, dict) or len(entries) > MAX_KEYS:
        raise BadJson(f"`{field}` must be an object of at most {MAX_KEYS} keys.")
    found = {}
    for key_id, entry in entries.items():
        if not key_id.startswith(ALGORITHM + ":"):
            continue
        text = entry.get("key") if isinstance(entry, dict) else None
        try:
            found[key_id] = parse_verify_key(text if isinstance(text, str) else "")
        except ValueError as error:
            raise BadJson(f"`{field}` must hold the key {key_id!r} as Base64 of 32 bytes.") from error
    return found


def _timestamp(holder: Mapping[str, Any], field: str) -> int:
    value = holder.get(field)
    if type(value) is not int or not 0 <= value < 2**63:
        raise BadJson(f"`{field}` must be an integer, milliseconds since 1970.")
    return value
