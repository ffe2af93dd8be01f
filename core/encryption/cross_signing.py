"""Publishing cross-signing keys: who may replace them, and what must have signed what.

A first set of keys needs no more than the access token, and repeating what is there changes nothing; replacing keys
needs the user to authenticate again, which the view asks for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from core.encryption.key_shapes import check_signature, checked_cross_signing_key
from core.encryption.uploads import merged_signatures
from core.errors import Forbidden, InvalidParam, MissingParam
from core.events.signatures import signed_bytes
from core.ids import Requester, UserId, UserNid
from core.storage.cross_signing import USAGES, CrossSigningKey, CrossSigningStore
from core.storage.database import Database
from core.storage.device_keys import DeviceKeyStore
from core.storage.writer import Transaction, Writer


@dataclass(frozen=True, slots=True)
class NewKeys:
    """Checked keys of one user, by what they are for: the public key and the object."""

    keys: Mapping[str, tuple[str, Mapping[str, Any]]]


class CrossSigning:
    """Takes in cross-signing keys."""

    def __init__(
        self, database: Database, store: CrossSigningStore, device_keys: DeviceKeyStore, writer: Writer
    ) -> None:
        self._database = database
        self._store = store
        self._device_keys = device_keys
        self._writer = writer

    def check(self, requester: Requester, body: Mapping[str, Any]) -> NewKeys:
        """The keys of a body. Raises: `InvalidParam`, `TooLarge`; `MissingParam` where no master key vouches for one.

        Spec: `POST /keys/device_signing/upload`.
        """
        keys: dict[str, tuple[str, Mapping[str, Any]]] = {}
        for usage in USAGES:
            given = body.get(f"{usage}_key")
            if given is not None:
                keys[usage] = checked_cross_signing_key(given, usage, requester.user_id)
        if not keys:
            raise MissingParam("At least one of 'master_key', 'self_signing_key' and 'user_signing_key' is required.")
        if len({public_key for public_key, _ in keys.values()}) < len(keys):
            raise InvalidParam("The master, self-signing and user-signing keys must be three different keys.")
        _check_vouched(requester.user_id, keys, self._store.of_user(self._database, requester.user_nid))
        return NewKeys(keys)

    def must_authenticate(self, requester: Requester, new: NewKeys) -> bool:
        """Whether the user has to authenticate again: keys are there, and these are others."""
        stored = self._store.of_user(self._database, requester.user_nid)
        return _must_authenticate(stored, new)

    def upload(self, requester: Requester, new: NewKeys, is_authenticated: bool) -> None:
        """Publish the keys.

        Raises: `Forbidden` where a key has the id of one of the user's devices, or where another request published keys
        meanwhile and nobody authenticated for replacing those; `MissingParam`, `InvalidParam` as `check`.
        """
        self._writer.submit(
            lambda transaction: self._upload(transaction, requester, new, is_authenticated), requester.user_nid
        )

    def _upload(self, transaction: Transaction, requester: Requester, new: NewKeys, is_authenticated: bool) -> None:
        user_nid = requester.user_nid
        transaction.rows(
            f"SELECT user_nid FROM users WHERE user_nid = ?{transaction.dialect.for_update}", (user_nid,)
        )  # two workers that publish for one user take turns
        stored = self._store.of_user(transaction, user_nid)
        if not is_authenticated and _must_authenticate(stored, new):
            raise Forbidden("Other keys have been published meanwhile; please authenticate to replace them.")
        _check_vouched(requester.user_id, new.keys, stored)
        device_ids = {
            row[0] for row in transaction.rows("SELECT device_id FROM devices WHERE user_nid = ?", (user_nid,))
        }
        if any(public_key in device_ids for public_key, _ in new.keys.values()):
            raise Forbidden("The public key of a cross-signing key is the id of one of your devices.")
        self._replace(transaction, user_nid, stored, new)

    def _replace(
        self, transaction: Transaction, user_nid: UserNid, stored: Mapping[str, CrossSigningKey], new: NewKeys
    ) -> None:
        master = stored.get("master")
        if master is not None and "master" in new.keys and new.keys["master"][0] != master.public_key:
            orphans = stored.keys() - new.keys.keys()
            self._store.remove(transaction, user_nid, orphans)
            self._store.forget_signatures_of(transaction, user_nid)
            if "user_signing" in orphans:
                self._store.forget_signatures_by(transaction, user_nid)
        for usage, (public_key, key) in new.keys.items():
            former = stored.get(usage)
            if former is not None and former.public_key == public_key:
                former_key = orjson.loads(former.body)
                key = merged_signatures(key, former_key) if "signatures" in former_key else key
                if key == former_key:
                    continue
            elif former is not None and usage == "user_signing":
                self._store.forget_signatures_by(transaction, user_nid)
            self._store.put(transaction, CrossSigningKey(user_nid, usage, public_key, orjson.dumps(key)))


def _must_authenticate(stored: Mapping[str, CrossSigningKey], new: NewKeys) -> bool:
    if "master" not in stored:
        return False
    return any(
        usage not in stored
        or stored[usage].public_key != public_key
        or signed_bytes(orjson.loads(stored[usage].body)) != signed_bytes(key)
        for usage, (public_key, key) in new.keys.items()
    )


def _check_vouched(
    user_id: UserId, keys: Mapping[str, tuple[str, Mapping[str, Any]]], stored: Mapping[str, CrossSigningKey]
) -> None:
    """The self-signing and user-signing keys are signed by the master key of the upload, or the one that is there."""
    master = keys["master"][0] if "master" in keys else stored["master"].public_key if "master" in stored else None
    for usage, (_, key) in keys.items():
        if usage == "master":
            continue
        if master is None:
            raise MissingParam(f"'{usage}_key' must be signed by a master key, and you have published none.")
        check_signature(key, user_id, f"ed25519:{master}", master, f"{usage}_key")
