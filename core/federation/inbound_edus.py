"""Messages between servers that are no events: typing, receipts, to-device messages, changes of device lists.

One that makes no sense is passed over; it fails nothing. Plugins receive the types they declare, such as presence.
Spec: Server-Server API, "EDUs".
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from core.encryption.to_device import ToDevice
from core.errors import InvalidParam, MatrixError
from core.federation.participation import Participation
from core.federation.remote_devices import KnownRemoteDevices
from core.graph.graph import Graph
from core.hooks.edus import ContributedEdus
from core.ids import EventId, RoomId, ServerName, UserId, is_event_id, is_user_id, server_of
from core.rooms.receipts import Receipts
from core.rooms.typing import Typing
from core.storage.rooms import RoomName

MAX_THREAD_BYTES = 255
HANDLED = frozenset({"m.direct_to_device", "m.device_list_update", "m.receipt", "m.signing_key_update", "m.typing"})
"""Types of EDU that are no plugin's to take."""

Edu = Mapping[str, Any]

logger = logging.getLogger(__name__)


class InboundEdus:
    """Hands EDUs to those they are for."""

    def __init__(
        self,
        graph: Graph,
        participation: Participation,
        typing: Typing,
        receipts: Receipts,
        to_device: ToDevice,
        remote_devices: KnownRemoteDevices,
        contributed: ContributedEdus,
    ) -> None:
        self._graph = graph
        self._participation = participation
        self._typing_book = typing
        self._receipt_book = receipts
        self._to_device_inbox = to_device
        self._remote_devices = remote_devices
        self._contributed = contributed
        self._takers: dict[str, Callable[[ServerName, Edu], None]] = {
            "m.typing": self._typing,
            "m.receipt": self._receipts,
            "m.direct_to_device": self._to_device,
            "m.device_list_update": self._device_list,
            "m.signing_key_update": self._signing_keys,
        }

    def receive(self, origin: ServerName, edu: Any) -> None:
        """Take one EDU."""
        kind = edu.get("edu_type") if isinstance(edu, dict) else None
        content = edu.get("content") if isinstance(edu, dict) else None
        if not isinstance(kind, str) or not isinstance(content, dict):
            return
        taker = self._takers.get(kind)
        if taker is None:
            self._contributed.receive(origin, kind, content)
            return
        try:
            taker(origin, content)
        except MatrixError as error:
            logger.info("An EDU of type %s of %s is passed over: %s", kind, origin, error.sentence)
        except Exception:
            logger.exception("An EDU of type %s of %s could not be dealt with.", kind, origin)

    def _typing(self, origin: ServerName, content: Edu) -> None:
        user_id, is_typing = _user(content.get("user_id"), origin), content.get("typing")
        room = self._room(origin, content.get("room_id"))
        if type(is_typing) is not bool:
            raise InvalidParam("`typing` must be true or false.")
        if self._is_joined(room, user_id):
            self._typing_book.receive(room, user_id, is_typing)

    def _receipts(self, origin: ServerName, content: Edu) -> None:
        for room_id, kinds in content.items():
            room = self._room(origin, room_id)
            users = kinds.get("m.read") if isinstance(kinds, dict) else None
            for user, receipt in users.items() if isinstance(users, dict) else ():
                user_id = _user(user, origin)
                if isinstance(receipt, dict) and self._is_joined(room, user_id):
                    self._receipt(room, user_id, receipt)

    def _receipt(self, room: RoomName, user_id: UserId, receipt: Edu) -> None:
        event_ids, about = receipt.get("event_ids"), receipt.get("data")
        if not isinstance(event_ids, list) or not event_ids or not isinstance(about, dict):
            raise InvalidParam("A receipt needs `event_ids` and `data`.")
        event_id, ts, thread = event_ids[-1], about.get("ts"), about.get("thread_id", "")
        if not isinstance(event_id, str) or not is_event_id(event_id) or type(ts) is not int or ts < 0:
            raise InvalidParam("A receipt needs an event id and a time.")
        if not isinstance(thread, str) or len(thread.encode()) > MAX_THREAD_BYTES:
            raise InvalidParam("A receipt's thread must be a string.")
        self._receipt_book.receive(user_id, room, EventId(event_id), thread, ts)

    def _to_device(self, origin: ServerName, content: Edu) -> None:
        sender, kind, message_id = (content.get(key) for key in ("sender", "type", "message_id"))
        messages = content.get("messages")
        if not (isinstance(kind, str) and isinstance(message_id, str) and isinstance(messages, dict)):
            raise InvalidParam("A to-device EDU needs `type`, `message_id` and `messages`.")
        self._to_device_inbox.receive(origin, message_id, _user(sender, origin), kind, messages)

    def _device_list(self, origin: ServerName, content: Edu) -> None:
        self._remote_devices.device_changed(_user(content.get("user_id"), origin), content)

    def _signing_keys(self, origin: ServerName, content: Edu) -> None:
        self._remote_devices.signing_keys_changed(_user(content.get("user_id"), origin), content)

    def _room(self, origin: ServerName, room_id: Any) -> RoomName:
        if not isinstance(room_id, str):
            raise InvalidParam("`room_id` must be a string.")
        return self._participation.room(origin, RoomId(room_id))

    def _is_joined(self, room: RoomName, user_id: UserId) -> bool:
        member = self._graph.states.current(room.room_nid).get("m.room.member", user_id)
        return member is not None and member.content.get("membership") == "join"


def _user(user_id: Any, origin: ServerName) -> UserId:
    if not isinstance(user_id, str) or not is_user_id(user_id) or server_of(user_id) != origin:
        raise InvalidParam(f"{user_id!r} is no user of {origin}.")
    return UserId(user_id)
