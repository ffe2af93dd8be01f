"""Keys of remote users as they are known here, kept right by what their servers announce.

A list is asked for once, and then follows the announcements. One that does not continue what is known makes the list
doubtful; it is asked for again when somebody needs it, since local clients hear of each change at once. A list is used
only while a room is shared with its user, because only then are changes announced to us. Where a server cannot be
reached the last that was known is better than nothing, and the failure is told beside it.
Spec: Server-Server API, "Device Management".
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

from core.errors import InvalidParam
from core.ids import ServerName, UserId, UserNid
from core.storage.interning import Interner
from core.storage.log import Kind
from core.storage.remote_devices import UNKNOWN, RemoteDevices, RemoteDeviceStore
from core.storage.writer import Transaction, Writer

MAX_DEVICES = 1_000
"""Lists of more devices are passed on, and not kept."""

Content = Mapping[str, Any]

NOTHING = RemoteDevices(0, UNKNOWN, False, {}, {})
"""What is known of somebody who was never asked for."""


class KnownRemoteDevices:
    """What is known, and what becomes of it."""

    def __init__(self, own: ServerName, store: RemoteDeviceStore, interner: Interner, writer: Writer) -> None:
        self._own = own
        self._store = store
        self._interner = interner
        self._writer = writer
        self.on_doubt: Callable[[UserId], None] = _nobody
        """Told whose list an announcement has made doubtful; it must not wait."""

    def find(self, user_ids: Collection[UserId]) -> dict[UserId, RemoteDevices]:
        """What is known of those of some users with whom a room is shared, doubtful or not."""
        nids = self._shared(user_ids)
        found = self._store.of_users(nids.values()) if nids else {}
        return {user_id: found.get(nid, NOTHING) for user_id, nid in nids.items()}

    def keep(self, asked: Mapping[UserId, int], answers: Mapping[UserId, RemoteDevices]) -> None:
        """Keep what servers answered, where nothing made it doubtful since. `asked` has the generations known then."""
        nids = self._shared([user for user, one in answers.items() if len(one.devices) <= MAX_DEVICES])

        def keep(transaction: Transaction) -> None:
            for user_id, nid in nids.items():
                known = self._store.find_in(transaction, nid)
                if (0 if known is None else known.generation) == asked.get(user_id, 0):
                    answer = answers[user_id]
                    self._store.put_in(transaction, nid, replace(answer, generation=asked.get(user_id, 0)))

        if nids:
            self._writer.submit(keep)

    def device_changed(self, user_id: UserId, content: Content) -> None:
        """An `m.device_list_update` of a user of its sender. Raises: `InvalidParam`."""
        device_id, stream_id, keys = content.get("device_id"), content.get("stream_id"), content.get("keys")
        previous = content.get("prev_id", [])
        if not isinstance(device_id, str) or type(stream_id) is not int or not isinstance(previous, list):
            raise InvalidParam("A device list update needs `device_id`, `stream_id` and, as a list, `prev_id`.")
        is_deleted = content.get("deleted") is True
        if not is_deleted and keys is not None and not isinstance(keys, dict):
            raise InvalidParam("`keys` of a device list update must be an object.")

        def change(known: RemoteDevices) -> RemoteDevices:
            if stream_id <= known.stream_id and known.is_current:
                return known  # what was asked for after this was sent has it already
            if not known.is_current or known.stream_id == UNKNOWN or any(one != known.stream_id for one in previous):
                return _doubted(known)
            devices = {key: device for key, device in known.devices.items() if key != device_id}
            if not is_deleted and keys is not None:
                devices[device_id] = with_name(keys, content.get("device_display_name"))
            return replace(known, generation=known.generation + 1, stream_id=stream_id, devices=devices)

        changed = self._change(user_id, change)
        if changed is not None and not changed.is_current:
            self.on_doubt(user_id)

    def signing_keys_changed(self, user_id: UserId, content: Content) -> None:
        """An `m.signing_key_update` of a user of its sender."""
        given = {usage: content.get(f"{usage}_key") for usage in ("master", "self_signing")}
        cross_signing = {usage: key for usage, key in given.items() if isinstance(key, dict)}
        self._change(
            user_id,
            lambda known: replace(
                known, generation=known.generation + 1, cross_signing={**known.cross_signing, **cross_signing}
            ),
        )

    def _change(self, user_id: UserId, change: Callable[[RemoteDevices], RemoteDevices]) -> RemoteDevices | None:
        """Change what is known of a user, and tell the local devices of those who share a room; what is known then."""
        found = self._interner.find(user_id)
        if found is None:
            return None
        nid = UserNid(found)

        def write(transaction: Transaction) -> RemoteDevices:
            known = self._store.find_in(transaction, nid) or NOTHING
            changed = change(known)
            if changed is not known:
                self._store.put_in(transaction, nid, changed)
            transaction.log(Kind.DEVICE_LIST, nid, nid, replaces=True)
            return changed

        return self._writer.submit(write)

    def _shared(self, user_ids: Collection[UserId]) -> dict[UserId, UserNid]:
        """The numbers of those users with whom a room is shared."""
        nids = {UserId(user): UserNid(nid) for user, nid in self._interner.known(user_ids).items()}
        own = self._interner.find(self._own)
        if not nids or own is None:
            return {}
        sharing = self._store.sharing(nids.values(), own)
        return {user: nid for user, nid in nids.items() if nid in sharing}


def with_name(keys: Mapping[str, Any], name: Any) -> dict[str, Any]:
    """A device's keys as clients get them, with the name its server tells."""
    return {**keys, "unsigned": {"device_display_name": name}} if isinstance(name, str) else dict(keys)


def _nobody(_user_id: UserId) -> None:
    """Nobody wants to know."""


def _doubted(known: RemoteDevices) -> RemoteDevices:
    return replace(known, generation=known.generation + 1, is_current=False)
