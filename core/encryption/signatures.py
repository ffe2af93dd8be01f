"""Uploading signatures: a user's own devices and master key, signed by each other; and other users' master keys.

Each item of an upload stands for itself: what cannot be accepted is reported under its user and key id, and the others
are kept. A signature counts only after it was verified against the key it claims to come from.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from core.encryption.key_shapes import MAX_ENTRIES, check_signature, checked_signatures, is_public_key
from core.encryption.remote import RemoteKeys
from core.encryption.uploads import merged_signatures
from core.errors import InvalidParam, MatrixError, NotFound
from core.events.signatures import signed_bytes
from core.ids import Requester, ServerName, UserId, server_of
from core.storage.cross_signing import CrossSigningKey, CrossSigningStore, UserSignature
from core.storage.database import Database
from core.storage.device_keys import DeviceKeyStore
from core.storage.interning import Interner
from core.storage.users import UserStore
from core.storage.writer import Transaction, Writer

Failures = dict[str, dict[str, dict[str, Any]]]
"""By user and key id, the error of what was not accepted."""

MAX_SIGNED_OBJECTS = 1_000
"""How many objects one upload may carry."""


class SignatureUploads:
    """Takes in signatures."""

    def __init__(
        self,
        server_name: ServerName,
        database: Database,
        users: UserStore,
        store: CrossSigningStore,
        device_keys: DeviceKeyStore,
        interner: Interner,
        remote: RemoteKeys,
        writer: Writer,
    ) -> None:
        self._server_name = server_name
        self._database = database
        self._users = users
        self._store = store
        self._device_keys = device_keys
        self._interner = interner
        self._remote = remote
        self._writer = writer

    def upload(self, requester: Requester, signed: Mapping[str, Mapping[str, Any]]) -> Failures:
        """Keep the signatures; the failures. Raises: `InvalidParam` where there are too many.

        Spec: `POST /keys/signatures/upload`.
        """
        if sum(len(objects) for objects in signed.values()) > MAX_SIGNED_OBJECTS:
            raise InvalidParam(f"At most {MAX_SIGNED_OBJECTS} signed objects may be uploaded at once.")
        failures: Failures = {}
        own = signed.get(requester.user_id, {})
        others: list[tuple[UserSignature, UserId]] = []
        for user_id, objects in signed.items():
            for key_id, obj in objects.items() if user_id != requester.user_id else ():
                try:
                    others.append((self._of_other(requester, UserId(user_id), key_id, obj), UserId(user_id)))
                except MatrixError as error:
                    failures.setdefault(user_id, {})[key_id] = error.body()
        if own:
            own_failures = self._writer.submit(lambda transaction: self._put_own(transaction, requester, own))
            if own_failures:
                failures[requester.user_id] = own_failures
        if others:
            self._writer.submit(lambda transaction: self._put_others(transaction, requester, others))
        return failures

    def _of_other(self, requester: Requester, user_id: UserId, key_id: str, obj: Any) -> UserSignature:
        """The requester's signature on another user's master key. Raises: `NotFound`, `InvalidParam`."""
        master = self._master_of(user_id)
        if master is None or f"ed25519:{key_id}" not in master.get("keys", {}):
            raise NotFound(f"{user_id} has no master key {key_id[:100]}.")
        _check_same(master, obj)
        signer = self._store.of_user(self._database, requester.user_nid).get("user_signing")
        signatures = checked_signatures(obj, key_id).get(requester.user_id, {})
        if signer is None or f"ed25519:{signer.public_key}" not in signatures:
            raise _invalid("Another user's master key must be signed with your user-signing key.")
        signer_id = f"ed25519:{signer.public_key}"
        check_signature(obj, requester.user_id, signer_id, signer.public_key, key_id)
        kept = orjson.dumps({signer_id: signatures[signer_id]})
        return UserSignature(self._interner.nid(user_id), key_id, kept)

    def _master_of(self, user_id: UserId) -> dict[str, Any] | None:
        if server_of(user_id) != self._server_name:
            return self._remote.find_master_key(user_id)
        user = self._users.find(user_id)
        found = None if user is None else self._store.of_user(self._database, user.user_nid).get("master")
        return None if found is None else dict(orjson.loads(found.body))

    def _put_others(
        self, transaction: Transaction, requester: Requester, signatures: list[tuple[UserSignature, UserId]]
    ) -> None:
        for signature, _ in signatures:
            self._store.put_signature(transaction, requester.user_nid, signature)

    def _put_own(
        self, transaction: Transaction, requester: Requester, objects: Mapping[str, Any]
    ) -> dict[str, dict[str, Any]]:
        """Add signatures to the requester's own keys; the failures by key id."""
        failures: dict[str, dict[str, Any]] = {}
        keys = self._store.of_user(transaction, requester.user_nid)
        devices = {
            str(device_id): (nid, orjson.loads(body))
            for device_id, (nid, body) in self._device_keys.of_user_in(transaction, requester.user_nid).items()
        }
        signers = _signers(keys, {device_id: body for device_id, (_, body) in devices.items()})
        master = keys.get("master")
        for key_id, obj in objects.items():
            try:
                if key_id in devices:
                    nid, stored = devices[key_id]
                    allowed = _only(signers, keys.get("self_signing"))
                    merged = _with_verified(requester.user_id, key_id, stored, obj, allowed)
                    if merged is not None:
                        self._device_keys.put(transaction, requester.user_nid, nid, orjson.dumps(merged))
                elif master is not None and key_id == master.public_key:
                    stored = orjson.loads(master.body)
                    allowed = {name: key for name, key in signers.items() if name.partition(":")[2] in devices}
                    merged = _with_verified(requester.user_id, key_id, stored, obj, allowed)
                    if merged is not None:
                        master = CrossSigningKey(requester.user_nid, "master", key_id, orjson.dumps(merged))
                        self._store.put(transaction, master)
                else:
                    raise NotFound(f"You have no device and no master key {key_id[:100]}.")
            except MatrixError as error:
                failures[key_id] = error.body()
        return failures


def _signers(keys: Mapping[str, CrossSigningKey], devices: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Key id to public key of everything of the user's that signs."""
    found = {f"ed25519:{key.public_key}": key.public_key for key in keys.values()}
    for device_id, body in devices.items():
        public_key = body["keys"].get(f"ed25519:{device_id}")
        if public_key is not None and is_public_key(public_key):
            found[f"ed25519:{device_id}"] = public_key
    return found


def _only(signers: Mapping[str, str], key: CrossSigningKey | None) -> dict[str, str]:
    return {} if key is None else {f"ed25519:{key.public_key}": signers[f"ed25519:{key.public_key}"]}


def _with_verified(
    user_id: UserId, name: str, stored: dict[str, Any], obj: Any, allowed: Mapping[str, str]
) -> dict[str, Any] | None:
    """`stored` with the new signatures of `obj`, all of them verified; None where there is none that is new.

    Raises: `InvalidParam`, with `M_INVALID_SIGNATURE` for a signature that is wrong or by a key that may not sign this.
    """
    _check_same(stored, obj)
    present = stored.get("signatures", {}).get(user_id, {})
    given = checked_signatures(obj, name).get(user_id, {})
    fresh = {key_id: text for key_id, text in given.items() if present.get(key_id) != text}
    for key_id in fresh:
        if key_id not in allowed:
            raise _invalid(f"The key {key_id[:100]} is none of yours that may sign {name[:100]}.")
        check_signature(obj, user_id, key_id, allowed[key_id], name)
    if len(present) + len(fresh) > MAX_ENTRIES:
        fresh_only = {key_id: text for key_id, text in present.items() if key_id in allowed or key_id.endswith(name)}
        stored = {**stored, "signatures": {**stored.get("signatures", {}), user_id: fresh_only}}
    return merged_signatures(stored, {"signatures": {user_id: fresh}}) if fresh else None


def _check_same(stored: Mapping[str, Any], obj: Any) -> None:
    if not isinstance(obj, dict):
        raise InvalidParam("A signed key must be an object.")
    if signed_bytes(stored) != signed_bytes(obj):
        raise _invalid("What was signed is not the key that is published; query it again and sign that.")


def _invalid(sentence: str) -> InvalidParam:
    return InvalidParam(sentence, errcode="M_INVALID_SIGNATURE")
