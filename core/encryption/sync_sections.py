"""What encryption adds to a sync: waiting messages, changed device lists, and counts of keys.

The classes fit core.sync's `Section`; what they need of a request is declared here, since sync is built on this
package and not the other way round. A section asks memory (`window.has`) before it asks the database.
Spec: Client-Server API, "Extensions to /sync" of "Send-to-Device messaging" and "End-to-End Encryption".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import orjson

from core.encryption.device_lists import DeviceLists
from core.encryption.key_counts import KeyCounts
from core.encryption.to_device import ToDevice
from core.ids import Requester
from core.storage.log import Kind

Fields = Mapping[str, bytes | list[bytes]]
"""JSON values by key; a list is of events, and becomes `{"events": […]}`."""


class Request(Protocol):
    """The request being answered."""

    @property
    def requester(self) -> Requester:
        """Who syncs, and with which device."""


class Window(Protocol):
    """The positions (since, upto] that the answer covers."""

    @property
    def since(self) -> int:
        """The position of the client's token."""

    @property
    def upto(self) -> int:
        """The position of the token the answer gives."""

    def has(self, *kinds: Kind) -> bool:
        """Whether there may be a line of one of `kinds` for the user."""


class Asking(Protocol):
    """One sync being answered."""

    @property
    def request(self) -> Request:
        """The request."""

    @property
    def window(self) -> Window:
        """The part of the log that the answer covers."""


class ToDeviceSection:
    """`to_device`: messages in the order in which they came, 100 at a time."""

    def __init__(self, messages: ToDevice, counts: KeyCounts) -> None:
        self._messages = messages
        self._counts = counts

    def current(self, asking: Asking) -> Fields:
        """The first that wait; a client without a token acknowledges nothing."""
        return self._deliver(asking.request.requester, None, asking.window.upto)

    def news(self, asking: Asking) -> Fields:
        """The first that arrived in the window."""
        window, requester = asking.window, asking.request.requester
        return self._deliver(requester, window.since, window.upto) if window.has(Kind.TO_DEVICE) else {}

    def acknowledged(self, requester: Requester, since: int) -> None:
        """The device syncs on from `since`: what had arrived by then is not needed any more. From memory, mostly."""
        if requester.device_id is not None:
            device_nid = self._counts.device_nid(requester.user_nid, requester.device_id)
            if device_nid is not None:
                self._messages.acknowledge(device_nid, since)

    def _deliver(self, requester: Requester, since: int | None, upto: int) -> Fields:
        if requester.device_id is None:
            return {}
        device_nid = self._counts.device_nid(requester.user_nid, requester.device_id)
        if device_nid is None:
            return {}
        events = self._messages.deliver(requester.user_nid, device_nid, since, upto)
        return {"to_device": events} if events else {}


class DeviceListSection:
    """`device_lists`: only in incremental syncs."""

    def __init__(self, lists: DeviceLists) -> None:
        self._lists = lists

    def current(self, asking: Asking) -> Fields:
        """Nothing: who knows nothing queries everybody."""
        return {}

    def news(self, asking: Asking) -> Fields:
        """Whose lists changed in the window, and who left."""
        window = asking.window
        changes = self._lists.between(asking.request.requester.user_nid, window.since, window.upto)
        if not changes:
            return {}
        return {"device_lists": orjson.dumps({"changed": changes.changed, "left": changes.left})}


class KeyCountSection:
    """`device_one_time_keys_count` and `device_unused_fallback_key_types`.

    Clients take a missing count for zero and upload keys nobody needs, so each answer carries `always`, an answer
    that has nothing else to tell included. A change of the counts is news, which ends a waiting sync.
    """

    def __init__(self, counts: KeyCounts) -> None:
        self._counts = counts

    def always(self, requester: Requester) -> Mapping[str, bytes]:
        """The fields for any answer to this device, from memory; none for a token without a device."""
        if requester.device_id is None:
            return {}
        return self._counts.of(requester.user_nid, requester.device_id)

    def current(self, asking: Asking) -> Fields:
        """The counts."""
        return self.always(asking.request.requester)

    def news(self, asking: Asking) -> Fields:
        """The counts, where one of the user's devices has other ones."""
        return self.always(asking.request.requester) if asking.window.has(Kind.ONE_TIME_KEYS) else {}
