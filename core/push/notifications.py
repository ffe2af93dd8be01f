"""What notified a user, page by page, newest first. Spec: Client-Server API, "Listing Notifications"."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from core.errors import InvalidParam
from core.graph.client_events import ClientEvents, Viewer
from core.graph.events import EventReader
from core.graph.stored_event import StoredEvent
from core.ids import RoomNid, UserNid
from core.push.counting import NotificationCounter
from core.push.evaluating import Evaluator, counted
from core.storage.notification_counts import OWN_COUNTING
from core.storage.notifications import Bounds, NotificationStore, Notified
from core.storage.receipts import UNTHREADED

MOST_PER_PAGE = 100


@dataclass(frozen=True, slots=True)
class Page:
    """Notifications as JSON, and the token of what comes after them."""

    notifications: list[bytes]
    next_token: str | None


class Notifications:
    """Reads what notified a user. `position` is the end of the log."""

    def __init__(
        self,
        store: NotificationStore,
        counter: NotificationCounter,
        evaluator: Evaluator,
        events: EventReader,
        client_events: ClientEvents,
        position: Callable[[], int],
    ) -> None:
        self._store = store
        self._counter = counter
        self._evaluator = evaluator
        self._events = events
        self._client_events = client_events
        self._position = position

    def page(self, viewer: Viewer, start: str | None, limit: int, only_highlights: bool) -> Page:
        """A page from a token on. Raises: InvalidParam for what is no token."""
        end, limit = self._position(), min(limit, MOST_PER_PAGE)
        self._counter.ready(end)
        upto = min(_read_token(start) - 1, end) if start is not None else end
        found = self._newest(viewer.user_nid, upto, limit + 1, only_highlights)
        page = found[:limit]
        next_token = str(page[-1].position) if len(found) > limit and page else None
        return Page(self._render(viewer, page), next_token)

    def _newest(self, user: UserNid, upto: int, wanted: int, only_highlights: bool) -> list[Notified]:
        ledger = self._counter.ledger
        written = ledger.written
        bounds = self._bounds(user, upto)
        found = self._pending(user, bounds, written, upto)
        own = [one for one in self._store.of_user(user, min(upto, written)) if one.room_nid in bounds]
        common_at = self._store.common_at(own)
        for one in own:
            bound, common = bounds[one.room_nid], common_at.pop(one.position, None)
            if one.position <= bound.since:
                continue
            if common is not None and one.position <= bound.upto:
                one.notify, one.highlight = one.notify + common.notify, one.highlight + common.highlight
            found[one.position] = one
        self._add_common(user, bounds, min(upto, written), wanted, only_highlights, found)
        gone = ledger.redacted
        listed = [
            one
            for one in found.values()
            if one.notify > 0 and one.event_nid not in gone and (one.highlight > 0 or not only_highlights)
        ]
        return heapq.nlargest(wanted, listed, key=lambda one: one.position)

    def _bounds(self, user: UserNid, upto: int) -> dict[RoomNid, Bounds]:
        """The bounds that are written, moved by marks that are not yet."""
        bounds, marks = self._store.bounds(user, upto), self._counter.ledger.marks
        for room, bound in bounds.items():
            joined, own = marks.get((user, room, UNTHREADED)), marks.get((user, room, OWN_COUNTING))
            if joined is not None or own is not None:
                bounds[room] = Bounds(joined or bound.since, bound.upto if own is None else min(own, upto))
        return bounds

    def _add_common(
        self,
        user: UserNid,
        bounds: dict[RoomNid, Bounds],
        upto: int,
        wanted: int,
        only_highlights: bool,
        found: dict[int, Notified],
    ) -> None:
        """Add what notified in common; a room is asked only for what is newer than the page found so far."""
        best: list[int] = []
        for room, bound in bounds.items():
            since = max(bound.since, best[0] if len(best) >= wanted else 0)
            for one in self._store.common(room, user, since, min(bound.upto, upto), only_highlights, wanted):
                if one.position not in found:
                    found[one.position] = one
                    heapq.heappush(best, one.position)
                    if len(best) > wanted:
                        heapq.heappop(best)

    def _pending(self, user: UserNid, bounds: dict[RoomNid, Bounds], since: int, upto: int) -> dict[int, Notified]:
        """What is evaluated and not written yet."""
        found: dict[int, Notified] = {}
        for step in self._counter.ledger.steps:
            bound = bounds.get(step.room_nid)
            if bound is None or not max(since, bound.since) < step.position <= upto or step.sender_nid == user:
                continue
            outcome = step.special.get(user)
            if outcome is None and (step.position <= bound.upto and not step.counts_alone(user)):
                outcome = step.common
            if outcome is not None:
                notify, highlight = counted(outcome)
                found[step.position] = Notified(
                    step.position, step.room_nid, step.thread, step.event_nid, notify, highlight
                )
        return found

    def _render(self, viewer: Viewer, page: list[Notified]) -> list[bytes]:
        events = self._events.by_nids([one.event_nid for one in page])
        unread = self._counter.ledger.unread(viewer.user_nid, {one.room_nid for one in page})
        rendered = []
        for one in page:
            stored = events.get(one.event_nid)
            if stored is not None:
                is_read = one.position <= unread[one.room_nid].read_upto(one.thread)
                rendered.append(self._rendered(viewer, stored, is_read, one.highlight > 0))
        return rendered

    def _rendered(self, viewer: Viewer, stored: StoredEvent, is_read: bool, is_highlight: bool) -> bytes:
        event = self._client_events.render((stored,), viewer, with_room_id=False)[0]
        outcome = self._evaluator.outcome_for(stored, viewer.user_nid)
        actions: list[Any] = list(outcome.actions)
        if not outcome.notify:  # the rules have changed since
            actions = ["notify", {"set_tweak": "highlight"}] if is_highlight else ["notify"]
        fields = {"actions": actions, "read": is_read, "room_id": stored.room_id, "ts": stored.origin_server_ts}
        return b'%b,"event":%b}' % (orjson.dumps(fields)[:-1], event)


def _read_token(token: str) -> int:
    if not (token.isascii() and token.isdigit() and len(token) < 19):
        raise InvalidParam("'from' must be a 'next_token' that an earlier answer gave.")
    return int(token)
