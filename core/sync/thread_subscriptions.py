"""Subscriptions to threads as clients learn of them: in sliding syncs, and in pages. Spec: MSC4308."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from core.ids import UserNid
from core.storage.log import Kind
from core.storage.rooms import RoomStore
from core.storage.thread_subscriptions import ThreadSubscription, ThreadSubscriptionStore
from core.sync.asking import Asking
from core.sync.sections import Fields

KEY = "thread_subscriptions"
MOST = 100
"""So many are in one answer; the newest."""

Changes = Sequence[tuple[int, ThreadSubscription]]


class ThreadSubscriptionSection:
    """What changed about a user's subscriptions. A Section of core.sync.sections."""

    def __init__(self, store: ThreadSubscriptionStore, rooms: RoomStore) -> None:
        self._store = store
        self._rooms = rooms

    def current(self, asking: Asking) -> Fields:
        """The newest of all."""
        return self._read(asking, 0)

    def news(self, asking: Asking) -> Fields:
        """What changed in the window."""
        window = asking.window
        return self._read(asking, window.since) if window.has(Kind.THREAD_SUBSCRIPTION) else {}

    def page(self, user: UserNid, since: int, upto: int, limit: int) -> tuple[dict[str, Any], int | None]:
        """(the newest changes in (since, upto] as clients see them, the position below which there are more)."""
        found = self._store.changed(user, since, upto, limit + 1)
        page = found[:limit]
        return self._shown(page), page[-1][0] - 1 if len(found) > limit else None

    def _read(self, asking: Asking, since: int) -> Fields:
        shown, more = self.page(asking.viewer.user_nid, since, asking.window.upto, MOST)
        if more is not None:
            shown["prev_batch"] = str(more)
        return {KEY: orjson.dumps(shown)} if shown else {}

    def _shown(self, changes: Changes) -> dict[str, Any]:
        names = self._rooms.names({one.room_nid for _, one in changes})
        shown: dict[str, Any] = {}
        for position, one in changes:
            kind = "subscribed" if one.is_subscribed else "unsubscribed"
            told: dict[str, Any] = {"bump_stamp": position}
            if one.is_subscribed:
                told["automatic"] = one.is_automatic
            shown.setdefault(kind, {}).setdefault(names[one.room_nid].room_id, {})[one.root_id] = told
        return shown
