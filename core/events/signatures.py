"""Signatures: which server vouches for a JSON object or an event.

Ed25519 over canonical JSON without `signatures` and `unsigned`; for an event, over its redacted form, so that a
signature outlives redaction. Where keys come from and when they count is core.events.server_keys's business.

Spec: Appendices, "Signing JSON"; Server-Server API, "Signing Events".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nacl.exceptions import CryptoError
from nacl.signing import SigningKey as NaclSigningKey
from nacl.signing import VerifyKey

from core.errors import BadSignature
from core.events import unpadded_base64
from core.events.canonical_json import encode
from core.events.event import Event
from core.events.hashes import content_hash
from core.events.redaction import essential
from core.events.room_versions import EventFormat, RoomVersion
from core.ids import ServerName, server_of

ALGORITHM = "ed25519"
SEED_BYTES = 32


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A server's secret key: its id, such as `ed25519:a_key`, and the 32 bytes it grows from."""

    key_id: str
    seed: bytes = field(repr=False)
    _secret: NaclSigningKey = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.seed) != SEED_BYTES:
            raise ValueError(f"a signing key's seed is {SEED_BYTES} bytes, not {len(self.seed)}")
        object.__setattr__(self, "_secret", NaclSigningKey(self.seed))

    @property
    def verify_key(self) -> VerifyKey:
        """The public half."""
        return self._secret.verify_key

    def sign(self, message: bytes) -> bytes:
        """The 64 bytes of signature over `message`."""
        return bytes(self._secret.sign(message).signature)


def parse_signing_keys(text: str) -> list[SigningKey]:
    """Read a signing key file: one `ed25519 a_key <base64 seed>` a line. The first is the one to sign with.

    Raises ValueError with the number of the line that is wrong, never with what stands on it.
    """
    keys: list[SigningKey] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        words = line.split()
        if len(words) != 3 or words[0] != ALGORITHM:
            raise ValueError(f"line {number} must be `{ALGORITHM} <name> <base64 of {SEED_BYTES} bytes>`")
        try:
            keys.append(SigningKey(f"{ALGORITHM}:{words[1]}", unpadded_base64.decode(words[2])))
        except ValueError as error:
            raise ValueError(f"line {number} must hold {SEED_BYTES} bytes in Base64") from error
    if not keys:
        raise ValueError("there is no signing key in it")
    return keys


def format_signing_key(key: SigningKey) -> str:
    """The line of a signing key file that `parse_signing_keys` reads, newline included."""
    algorithm, _, name = key.key_id.partition(":")
    return f"{algorithm} {name} {unpadded_base64.encode(key.seed)}\n"


def parse_verify_key(text: str) -> VerifyKey:
    """The public key written as unpadded Base64. Raises ValueError where it is not 32 bytes."""
    octets = unpadded_base64.decode(text)
    if len(octets) != SEED_BYTES:
        raise ValueError(f"an {ALGORITHM} key is {SEED_BYTES} bytes, not {len(octets)}")
    return VerifyKey(octets)


def sign_json(obj: Mapping[str, Any], server: str, key: SigningKey) -> dict[str, Any]:
    """A copy of `obj` with the signature of `server` added to those it has.

    Spec: Appendices, "Signing Details". Raises EventRefused where `obj` has no canonical form.
    """
    signature = unpadded_base64.encode(key.sign(signed_bytes(obj)))
    return {**obj, "signatures": _with_signature(obj.get("signatures"), server, key.key_id, signature)}


def signed_bytes(obj: Mapping[str, Any]) -> bytes:
    """What a signature of `obj` covers: its canonical JSON without `signatures` and `unsigned`."""
    covered = dict(obj)
    covered.pop("signatures", None)
    covered.pop("unsigned", None)
    return encode(covered, strict=False)


def verify_json(obj: Mapping[str, Any], server: str, key_id: str, key: VerifyKey) -> None:
    """Check that `obj` is signed by `server` with the key of that id. Raises BadSignature with the reason.

    Spec: Appendices, "Checking for a Signature".
    """
    signature = signatures_of(obj, server).get(key_id)
    if signature is None:
        raise BadSignature(f"There is no signature of {server} with the key {key_id}.")
    if not is_signed_by(signed_bytes(obj), signature, key):
        raise BadSignature(f"The signature of {server} with the key {key_id} is wrong.")


def is_signed_by(message: bytes, signature: str, key: VerifyKey) -> bool:
    """Whether `signature`, in Base64, is that of `key` over `message`. Junk is simply not a signature."""
    try:
        key.verify(message, unpadded_base64.decode(signature))
    except (CryptoError, ValueError):
        return False
    return True


def signatures_of(obj: Mapping[str, Any], server: str) -> dict[str, str]:
    """The signatures `obj` claims to have from `server`: key id to Base64, algorithms we do not know left out."""
    signatures = obj.get("signatures")
    entry = signatures.get(server) if isinstance(signatures, Mapping) else None
    if not isinstance(entry, Mapping):
        return {}
    prefix = ALGORITHM + ":"
    return {
        key_id: text
        for key_id, text in entry.items()
        if isinstance(key_id, str) and isinstance(text, str) and key_id.startswith(prefix)
    }


def sign_event(pdu: Mapping[str, Any], version: RoomVersion, server: str, key: SigningKey) -> dict[str, Any]:
    """A copy of `pdu` with its content hash and the signature of `server`.

    Spec: Server-Server API, "Adding hashes and signatures to outgoing events".
    """
    return add_signature({**pdu, "hashes": {"sha256": content_hash(pdu)}}, version, server, key)


def add_signature(pdu: Mapping[str, Any], version: RoomVersion, server: str, key: SigningKey) -> dict[str, Any]:
    """A copy of a hashed `pdu` with the signature of `server` besides those it has: for invites and restricted
    joins.
    """
    signature = unpadded_base64.encode(key.sign(encode(essential(pdu, version), strict=False)))
    return {**pdu, "signatures": _with_signature(pdu.get("signatures"), server, key.key_id, signature)}


def servers_that_must_sign(event: Event) -> set[ServerName]:
    """The servers without whose valid signature `event` is dropped.

    The sender's, unless it is a third-party invite, which another server may send for them; in room versions 1 and 2
    that of the event id; from 8 that of the user who authorized a restricted join.
    Spec: Server-Server API, "Validating hashes and signatures on received events"; fragment v8-auth-rules, rule 4.2.
    """
    servers: set[ServerName] = set()
    is_member = event.type == "m.room.member"
    if not (is_member and event.content.get("membership") == "invite" and "third_party_invite" in event.content):
        servers.add(server_of(event.sender))
    if event.version.event_format is EventFormat.V1:
        servers.add(server_of(event.event_id))
    if is_member and event.version.restricted_joins and "join_authorised_via_users_server" in event.content:
        authorizer = event.content["join_authorised_via_users_server"]
        servers.add(server_of(authorizer) if isinstance(authorizer, str) else ServerName(""))
    return servers


def _with_signature(present: Any, server: str, key_id: str, signature: str) -> dict[str, Any]:
    signatures = dict(present) if isinstance(present, Mapping) else {}
    entry = signatures.get(server)
    signatures[server] = {**(entry if isinstance(entry, Mapping) else {}), key_id: signature}
    return signatures
