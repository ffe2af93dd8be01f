"""Key backups: their versions, and the room keys in the current one.

Keys are written only to the current version, so a client that missed a new one learns of it instead of filling an old.
Spec: Client-Server API, "Server-side key backups".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import orjson

from core.errors import Forbidden, InvalidParam, NotFound, TooLarge
from core.ids import UserNid
from core.storage.key_backup import BackedUpKey, BackupVersion, KeyBackupStore
from core.storage.writer import Transaction, Writer

MAX_AUTH_DATA_BYTES = 65_536
MAX_SESSION_DATA_BYTES = 65_536
MAX_KEYS = 1_000_000
"""Most room keys one version may hold."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What a change of keys is answered with."""

    etag: str
    count: int


class KeyBackup:
    """A user's backups."""

    def __init__(self, store: KeyBackupStore, writer: Writer) -> None:
        self._store = store
        self._writer = writer

    def create(self, user_nid: UserNid, algorithm: str, auth_data: Mapping[str, Any]) -> str:
        """Begin a new version, which is the current one from now on; its name. Raises: `TooLarge`."""
        encoded = _auth_data(auth_data)

        def create(transaction: Transaction) -> int:
            self._store.find_in(transaction, user_nid, None)  # locks the current one, where there is one
            version = self._store.last_version_in(transaction, user_nid) + 1
            self._store.put(transaction, user_nid, BackupVersion(version, algorithm, encoded, 0, 0, False))
            return version

        return str(self._writer.submit(create, user_nid))

    def get(self, user_nid: UserNid, version: str | None) -> BackupVersion:
        """A version, or the current one. Raises: `NotFound`."""
        number = None if version is None else _number(version)
        return _existing(self._store.find(user_nid, number))

    def update(
        self, user_nid: UserNid, version: str, algorithm: str, auth_data: Mapping[str, Any], named: str | None
    ) -> None:
        """Change how a version is signed; `named` is the version the body names. Raises: `NotFound`, `InvalidParam`."""
        if named is not None and named != version:
            raise InvalidParam(f"'version' is {named[:100]!r} in the body and {version[:100]!r} in the path.")
        encoded, number = _auth_data(auth_data), _number(version)

        def update(transaction: Transaction) -> None:
            found = _existing(self._store.find_in(transaction, user_nid, number))
            if found.algorithm != algorithm:
                raise InvalidParam(f"'algorithm' must be {found.algorithm}, which this backup was made with.")
            self._store.put(transaction, user_nid, replace(found, auth_data=encoded))

        self._writer.submit(update, user_nid)

    def delete(self, user_nid: UserNid, version: str) -> None:
        """Delete a version and its keys; one that was deleted before is fine. Raises: `NotFound`."""
        number = _number(version)

        def delete(transaction: Transaction) -> None:
            found = self._store.find_in(transaction, user_nid, number)
            if found is None:
                raise NotFound("There is no such backup version.")
            if not found.is_deleted:
                self._store.remove_keys(transaction, user_nid, number)
                self._store.put(transaction, user_nid, replace(found, auth_data=b"{}", key_count=0, is_deleted=True))

        self._writer.submit(delete, user_nid)

    def put_keys(self, user_nid: UserNid, version: str, keys: Sequence[BackedUpKey]) -> Stored:
        """Store keys, each unless the copy that is there is as good.

        Raises: `Forbidden` with `M_WRONG_ROOM_KEYS_VERSION` and the field `current_version`; `NotFound`; `TooLarge`.
        """

        def put(transaction: Transaction) -> Stored:
            found = self._current(transaction, user_nid, version)
            present = self._store.keys_in(transaction, user_nid, found.version, {key.session_id for key in keys})
            better: dict[tuple[str, str], BackedUpKey] = {}
            for key in keys:
                name = (key.room_id, key.session_id)
                former = better.get(name) or present.get(name)
                if former is None or key.is_better_than(former):
                    better[name] = key
            if not better:
                return _stored(found)
            count = found.key_count + len(better.keys() - present.keys())
            if count > MAX_KEYS:
                raise TooLarge(f"A backup may hold at most {MAX_KEYS} keys.")
            self._store.put_keys(transaction, user_nid, found.version, list(better.values()))
            return self._changed(transaction, user_nid, found, count)

        return self._writer.submit(put, user_nid)

    def remove_keys(
        self, user_nid: UserNid, version: str, room_id: str | None = None, session_id: str | None = None
    ) -> Stored:
        """Drop all keys of a version, or those of one room or session. Raises: `NotFound`."""
        number = _number(version)

        def remove(transaction: Transaction) -> Stored:
            found = _existing(self._store.find_in(transaction, user_nid, number))
            removed = self._store.remove_keys(transaction, user_nid, number, room_id, session_id)
            return self._changed(transaction, user_nid, found, found.key_count - removed) if removed else _stored(found)

        return self._writer.submit(remove, user_nid)

    def all_keys(self, user_nid: UserNid, version: str) -> bytes:
        """Every key, as the JSON of the answer. Raises: `NotFound`."""
        keys = self._keys(user_nid, version)
        rooms = (
            b"%b:%b" % (orjson.dumps(room_id), _sessions(group))
            for room_id, group in groupby(keys, key=lambda key: key.room_id)
        )
        return b'{"rooms":{%b}}' % b",".join(rooms)

    def room_keys(self, user_nid: UserNid, version: str, room_id: str) -> bytes:
        """The keys of one room, as the JSON of the answer. Raises: `NotFound`."""
        return _sessions(self._keys(user_nid, version, room_id))

    def session_key(self, user_nid: UserNid, version: str, room_id: str, session_id: str) -> bytes:
        """The key of one session, as the JSON of the answer. Raises: `NotFound`."""
        keys = self._keys(user_nid, version, room_id, session_id)
        if not keys:
            raise NotFound("The backup has no key of this session.")
        return _key(keys[0])

    def _keys(
        self, user_nid: UserNid, version: str, room_id: str | None = None, session_id: str | None = None
    ) -> list[BackedUpKey]:
        found = self.get(user_nid, version)
        return self._store.keys(user_nid, found.version, room_id, session_id)

    def _current(self, transaction: Transaction, user_nid: UserNid, version: str) -> BackupVersion:
        found = _existing(self._store.find_in(transaction, user_nid, None))
        if str(found.version) != version:
            raise Forbidden(
                f"Keys can be stored only in the current backup, which is version {found.version}.",
                errcode="M_WRONG_ROOM_KEYS_VERSION",
                current_version=str(found.version),
            )
        return found

    def _changed(self, transaction: Transaction, user_nid: UserNid, found: BackupVersion, count: int) -> Stored:
        changed = replace(found, etag=found.etag + 1, key_count=count)
        self._store.put(transaction, user_nid, changed)
        return _stored(changed)


def _existing(found: BackupVersion | None) -> BackupVersion:
    if found is None or found.is_deleted:
        raise NotFound("There is no such backup version.")
    return found


def _stored(version: BackupVersion) -> Stored:
    return Stored(str(version.etag), version.key_count)


def _number(version: str) -> int:
    """The number a version's name stands for. Raises: `NotFound` for a name that was never given out."""
    if not (version.isascii() and version.isdigit() and len(version) <= 18 and str(int(version)) == version):
        raise NotFound("There is no such backup version.")
    return int(version)


def _auth_data(auth_data: Mapping[str, Any]) -> bytes:
    encoded = orjson.dumps(auth_data)
    if len(encoded) > MAX_AUTH_DATA_BYTES:
        raise TooLarge(f"'auth_data' is larger than the {MAX_AUTH_DATA_BYTES} bytes allowed.")
    return encoded


def _sessions(keys: Iterable[BackedUpKey]) -> bytes:
    return b'{"sessions":{%b}}' % b",".join([b"%b:%b" % (orjson.dumps(key.session_id), _key(key)) for key in keys])


def _key(key: BackedUpKey) -> bytes:
    return b'{"first_message_index":%d,"forwarded_count":%d,"is_verified":%b,"session_data":%b}' % (
        key.first_message_index,
        key.forwarded_count,
        b"true" if key.is_verified else b"false",
        key.session_data,
    )
