"""To-device messages: sent once, kept in order until the device has them, then dropped.

A sync token acknowledges everything it was given out with, so what does not fit into one answer is put off: counted,
in the log, as arriving after that answer's token, before the answer is sent.
Spec: Client-Server API, "Send-to-Device messaging".
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from core.encryption.remote import Messages, RemoteInboxes
from core.errors import BadJson, InvalidParam, TooLarge
from core.ids import Requester, ServerName, UserId, UserNid, is_user_id, server_of
from core.storage.devices import DeviceNid
from core.storage.to_device import Recipient, ToDeviceStore, WaitingMessage, request_hash
from core.storage.writer import Transaction, Writer

MESSAGES_PER_SYNC = 100
"""How many messages one answer carries."""
MAX_MESSAGES_PER_REQUEST = 10_000
"""How many users' and devices' messages one request may carry, wildcards counted once."""
MAX_CONTENT_BYTES = 65_536
"""Largest content of one message."""
MAX_TYPE_BYTES = 255
MAX_WAITING = 20_000
"""More messages than this are not kept for a device; the oldest go first."""
REQUEST_MS = 24 * 3600 * 1000
"""How long a transaction id is remembered."""
CLEAN_DEVICES = 100_000
"""Of so many devices it is remembered that nothing waits to be acknowledged."""

EVERY_DEVICE = "*"


class ToDevice:
    """Sends and delivers messages."""

    def __init__(
        self,
        server_name: ServerName,
        store: ToDeviceStore,
        remote: RemoteInboxes,
        writer: Writer,
        now_ms: Callable[[], int],
    ) -> None:
        self._server_name = server_name
        self._store = store
        self._remote = remote
        self._writer = writer
        self._now_ms = now_ms
        self._clean: OrderedDict[DeviceNid, None] = OrderedDict()
        """Devices that have acknowledged all that this process delivered to them."""

    def send(self, requester: Requester, event_type: str, txn_id: str, messages: Mapping[str, Any]) -> None:
        """Send one message to each of some devices; a repeated transaction id sends nothing.

        Users and devices that do not exist are passed over. Raises: `BadJson`, `InvalidParam`, `TooLarge`.
        """
        checked = checked_messages(event_type, messages, self._server_name)
        scope = requester.device_id or f"token {requester.token_nid}"
        request = request_hash("client", requester.user_id, scope, event_type, txn_id)
        self._writer.submit(
            lambda transaction: self._send(transaction, request, requester.user_id, event_type, checked)
        )

    def receive(
        self, origin: ServerName, message_id: str, sender: UserId, event_type: str, messages: Mapping[str, Any]
    ) -> None:
        """Deliver what another server sent to our users; a repeated message id delivers nothing.

        Messages for users who are not ours are passed over. Raises: `InvalidParam` where the sender is not of `origin`,
        and as `send`. Spec: Server-Server API, "Send-to-device messaging".
        """
        if server_of(sender) != origin:
            raise InvalidParam(f"{origin} may not send to-device messages of {sender}.")
        checked = checked_messages(event_type, messages, self._server_name)
        here = {user_id: devices for user_id, devices in checked.items() if server_of(user_id) == self._server_name}
        request = request_hash("server", origin, message_id)
        self._writer.submit(lambda transaction: self._send(transaction, request, sender, event_type, here))

    def deliver(self, user_nid: UserNid, device_nid: DeviceNid, since: int | None, upto: int) -> list[bytes]:
        """The events for an answer whose token is at `upto`, to a request whose token is at `since`.

        What `since` acknowledges is deleted; what does not fit is put off, so that the next sync finds it.
        """
        waiting = self._store.waiting(device_nid, 0, MESSAGES_PER_SYNC + 1)
        if since is not None and waiting and _may_be_told(waiting, since):
            last = self._drop(device_nid, since)
            waiting = self._store.waiting(device_nid, last, MESSAGES_PER_SYNC + 1)
        due = self._told(device_nid, waiting, upto)
        if len(due) > MESSAGES_PER_SYNC:
            due.pop()
            last = due[-1].message_nid
            self._writer.submit(
                lambda transaction: self._store.put_off(transaction, user_nid, device_nid, last), user_nid
            )
        if due:
            self._clean.pop(device_nid, None)
        elif not waiting:
            self._note_clean(device_nid)
        return [message.body for message in due]

    def acknowledge(self, device_nid: DeviceNid, since: int) -> None:
        """Delete what a device that syncs on from `since` has.

        Costs nothing where nothing was delivered since the last time. Another worker's delivery is not known of here;
        what it delivered is deleted when the device next has a message.
        """
        if device_nid not in self._clean:
            self._note_clean(device_nid)  # before, so that what another request delivers meanwhile undoes it
            try:
                self._drop(device_nid, since)
            except BaseException:
                self._clean.pop(device_nid, None)
                raise

    def page(self, device_nid: DeviceNid, after_nid: int, limit: int = MESSAGES_PER_SYNC) -> list[WaitingMessage]:
        """Messages of a device that does not sync, from past a number on; nothing is deleted."""
        return self._store.waiting(device_nid, after_nid, limit)

    def tidy(self) -> int:
        """Forget old transaction ids, and the oldest messages of devices that nobody reads; how many messages."""
        before_ms = self._now_ms() - REQUEST_MS
        self._writer.submit(lambda transaction: self._store.forget_requests(transaction, before_ms))
        dropped = 0
        for device_nid, count in self._store.overlong(MAX_WAITING):
            surplus = count - MAX_WAITING
            dropped += self._writer.submit(
                lambda transaction, nid=device_nid, index=surplus - 1: self._store.drop(  # type: ignore[misc]  # bound now
                    transaction, nid, self._store.nid_at(transaction, nid, index)
                )
            )
        return dropped

    def _send(
        self, transaction: Transaction, request: bytes, sender: UserId, event_type: str, messages: Messages
    ) -> None:
        if self._store.is_done(transaction, request):
            return
        self._store.note_done(transaction, request, self._now_ms())
        here = {user_id: devices for user_id, devices in messages.items() if server_of(user_id) == self._server_name}
        prefix, suffix = b'{"content":', b',"sender":%b,"type":%b}' % (orjson.dumps(sender), orjson.dumps(event_type))
        found: list[tuple[Recipient, bytes]] = []
        for to in self._store.recipients_in(transaction, here) if here else ():
            devices = here[to.user_id]
            content = devices.get(to.device_id, devices.get(EVERY_DEVICE))
            if content is not None:
                found.append((to, prefix + content + suffix))
        self._store.add(transaction, found)
        if len(here) < len(messages):
            elsewhere = {user_id: devices for user_id, devices in messages.items() if user_id not in here}
            self._remote.post(transaction, sender, event_type, elsewhere)

    def _note_clean(self, device_nid: DeviceNid) -> None:
        self._clean[device_nid] = None
        if len(self._clean) > CLEAN_DEVICES:
            self._clean.popitem(last=False)

    def _drop(self, device_nid: DeviceNid, since: int) -> int:
        last = self._store.last_told(device_nid, since)
        if last:
            self._writer.submit(lambda transaction: self._store.drop(transaction, device_nid, last))
        return last

    def _told(self, device_nid: DeviceNid, waiting: list[WaitingMessage], upto: int) -> list[WaitingMessage]:
        """The first of `waiting` that had arrived by `upto`."""
        last = max((m.message_nid for m in waiting if m.position is not None and m.position <= upto), default=0)
        if waiting and waiting[-1].position is None:
            last = max(last, self._store.last_told(device_nid, upto))
        return [message for message in waiting if message.message_nid <= last]


def _may_be_told(waiting: list[WaitingMessage], since: int) -> bool:
    """Whether some of `waiting` may have arrived by `since`."""
    return waiting[-1].position is None or any(m.position is not None and m.position <= since for m in waiting)


def checked_messages(
    event_type: str, messages: Mapping[str, Any], server_name: ServerName
) -> dict[UserId, dict[str, bytes]]:
    """Encoded messages by user and device. Ids of local users need no grammar: they are looked up.

    Raises: `BadJson`, `InvalidParam`, `TooLarge`.
    """
    if not event_type or len(event_type.encode("utf-8", "surrogatepass")) > MAX_TYPE_BYTES:
        raise InvalidParam(f"The event type must have between 1 and {MAX_TYPE_BYTES} bytes.")
    found: dict[UserId, dict[str, bytes]] = {}
    count, local = 0, f":{server_name}"
    for user_id, devices in messages.items():
        if not user_id.endswith(local) and not is_user_id(user_id):
            raise InvalidParam(f"'messages' names {user_id[:100]!r}, which is not a user id.")
        if not isinstance(devices, dict):
            raise BadJson(f"'messages.{user_id}' must be an object of device ids.")
        encoded = found[UserId(user_id)] = {}
        for device_id, content in devices.items():
            if not isinstance(content, dict):
                raise BadJson(f"'messages.{user_id}.{device_id[:100]}' must be an object.")
            encoded[device_id] = orjson.dumps(content)
            if len(encoded[device_id]) > MAX_CONTENT_BYTES:
                raise TooLarge(f"The message to {user_id} is larger than the {MAX_CONTENT_BYTES} bytes allowed.")
        count += len(devices)
    if count > MAX_MESSAGES_PER_REQUEST:
        raise TooLarge(f"At most {MAX_MESSAGES_PER_REQUEST} messages may be sent at once, not {count}.")
    return found
