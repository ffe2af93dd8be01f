"""Takes away the history of rooms that every local user has left and forgotten: `forgotten_room_retention_period`.

What was said goes. The room's state stays, small as it is, so that its addresses lead nowhere else and somebody who comes
back finds the same room. Who comes back before the time is up finds everything.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from core.graph.graph import Graph
from core.ids import RoomNid
from core.storage.abandoned_rooms import AbandonedRoomStore
from core.storage.writer import Transaction, Writer


class AbandonedRooms:
    """A chore: `purge` is called now and then. `kept_ms` after it first saw a room abandoned, the history goes."""

    def __init__(
        self,
        graph: Graph,
        store: AbandonedRoomStore,
        writer: Writer,
        kept_ms: int | None,
        now_ms: Callable[[], int] = lambda: int(time.time() * 1000),
    ) -> None:
        self._graph = graph
        self._store = store
        self._writer = writer
        self._kept_ms = kept_ms
        self._now_ms = now_ms

    def purge(self) -> int:
        """Note which rooms are abandoned, and purge those that have been for long enough; how many those were."""
        if self._kept_ms is None:
            return 0
        now_ms, abandoned, noted = self._now_ms(), set(self._store.now()), self._store.noted()
        fresh, back = abandoned - noted.keys(), noted.keys() - abandoned

        def note(transaction: Transaction) -> None:
            for room in fresh:
                self._store.note(transaction, room, now_ms)
            for room in back:
                self._store.drop(transaction, room)

        if fresh or back:
            self._writer.submit(note)
        due = []
        for room in abandoned:
            since_ms, purged_ms = noted.get(room, (now_ms, 0))
            if not purged_ms and since_ms + self._kept_ms <= now_ms:
                due.append(room)
        for room in due:
            self._purge(room, now_ms)
        return len(due)

    def _purge(self, room: RoomNid, now_ms: int) -> None:
        last = self._store.last_event(room)
        if last is not None:
            self._graph.purger.purge(room, self._graph.events.by_nid(last))
        self._writer.submit(lambda transaction: self._store.purged(transaction, room, now_ms), room)
