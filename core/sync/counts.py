"""Unread counts in syncs: in the same answer as the events they count, and wherever the user has read.

Spec: Client-Server API, "Receiving notifications"; `unread_notifications`, `unread_thread_notifications`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import orjson

from core.ids import RoomId, RoomNid
from core.push.counting import NotificationCounter
from core.push.unread import Count, Unread
from core.storage.log import Kind, LogReader
from core.sync.asking import Asking
from core.sync.sections import Fields

ROOMS_AT_ONCE = 1_000


class CountsSection:
    """Counts of rooms the user is in."""

    def __init__(self, counter: NotificationCounter, log: LogReader) -> None:
        self._counter = counter
        self._log = log

    def current(self, asking: Asking, rooms: Mapping[RoomNid, RoomId]) -> Mapping[RoomNid, Fields]:
        """The counts of each room."""
        return self._told(asking, rooms) if rooms else {}

    def news(self, asking: Asking, rooms: Mapping[RoomNid, RoomId]) -> Mapping[RoomNid, Fields]:
        """The counts of each room, and of those the user has read in the window."""
        window, user = asking.window, asking.viewer.user_nid
        wanted: Collection[RoomNid] = rooms
        if window.has(Kind.RECEIPT, Kind.PRIVATE_RECEIPT):
            is_ready = self._counter.ready(window.upto)
            wanted = {*wanted, *self._counter.ledger.read_since(user, window.since, window.upto, is_ready)}
        if asking.ignored and self._counter.ready(window.upto):
            # the redaction itself is not shown where its sender is ignored
            redacted = self._counter.ledger.redacted_since(window.since)
            wanted = {*wanted, *(room for room in redacted if room in window.user.joined)}
        if window.has(Kind.NOTIFICATION_COUNTS):
            lines = self._log.of_subject(
                Kind.NOTIFICATION_COUNTS, user, window.since, window.upto, ROOMS_AT_ONCE, newest_first=True
            )
            wanted = {*wanted, *(RoomNid(room) for _, room in lines)}
        return self._told(asking, wanted) if wanted else {}

    def _told(self, asking: Asking, rooms: Collection[RoomNid]) -> Mapping[RoomNid, Fields]:
        user = asking.viewer.user_nid
        if not self._counter.ready(asking.window.upto):
            self._counter.owe(user, rooms)
        by_thread = asking.filter.room.timeline.unread_thread_notifications
        return {room: _fields(unread, by_thread) for room, unread in self._counter.ledger.unread(user, rooms).items()}


def _fields(unread: Unread, by_thread: bool) -> Fields:
    if not by_thread:
        return {"unread_notifications": _json(unread.total)}
    threads = b",".join(b"%b:%b" % (orjson.dumps(root), _json(count)) for root, count in unread.in_threads().items())
    return {"unread_notifications": _json(unread.main), "unread_thread_notifications": b"{%b}" % threads}


def _json(count: Count) -> bytes:
    return b'{"highlight_count":%d,"notification_count":%d}' % (count[1], count[0])
