"""Subscriptions to threads: what a user wants to hear of, said by them or guessed by their client. Spec: MSC4306.

A guess names the event it is about; it does not undo that the user has unsubscribed since that event.
"""

from __future__ import annotations

from collections.abc import Callable

from core.errors import BadRequest, Conflict, Forbidden, NotFound
from core.graph.graph import Graph
from core.graph.stored_event import StoredEvent
from core.graph.threads import thread_of
from core.graph.viewing import Viewing
from core.ids import EventId, Position, Requester, RoomId
from core.rooms.access import RoomAccess, event_in_sight
from core.storage.database import Database
from core.storage.log import Kind, LogReader
from core.storage.rooms import RoomName
from core.storage.thread_subscriptions import ThreadSubscription, ThreadSubscriptionStore
from core.storage.transaction import Transaction
from core.storage.writer import Writer

MOST_SUBSCRIPTIONS = 10_000
"""Threads one user may have said something about."""
_CODES = "IO.ELEMENT.MSC4306."


class ThreadSubscriptions:
    """Sets and shows subscriptions."""

    def __init__(
        self,
        graph: Graph,
        access: RoomAccess,
        viewing: Viewing,
        store: ThreadSubscriptionStore,
        database: Database,
        log: LogReader,
        writer: Writer,
        position: Callable[[], Position],
    ) -> None:
        self._graph = graph
        self._access = access
        self._viewing = viewing
        self._store = store
        self._database = database
        self._log = log
        self._writer = writer
        self._position = position

    def subscribe(self, requester: Requester, room_id: RoomId, root_id: EventId, cause_id: EventId | None) -> None:
        """Subscribe; `cause_id` is the event of the thread that made the client do so by itself, None for the user.

        Raises NotFound, BadRequest for a cause outside the thread, Conflict where the user unsubscribed after it.
        """
        room, _ = self._thread(requester, room_id, root_id)
        caused_at = None if cause_id is None else self._caused_at(requester, room, root_id, cause_id)
        now = self._position()

        def write(transaction: Transaction) -> None:
            known = self._store.find(transaction, requester.user_nid, room.room_nid, root_id)
            if caused_at is not None and known is not None:
                if known.is_subscribed:
                    return
                if caused_at <= known.changed_position:
                    raise Conflict(
                        "You have unsubscribed from this thread since that event.",
                        errcode=f"{_CODES}M_CONFLICTING_UNSUBSCRIPTION",
                    )
            if known is None and self._store.count(transaction, requester.user_nid) >= MOST_SUBSCRIPTIONS:
                raise Forbidden(f"You may have at most {MOST_SUBSCRIPTIONS} subscriptions to threads.")
            subscription = ThreadSubscription(room.room_nid, root_id, True, caused_at is not None, now)
            self._store.set(transaction, requester.user_nid, subscription)

        self._writer.submit(write)

    def unsubscribe(self, requester: Requester, room_id: RoomId, root_id: EventId) -> None:
        """Unsubscribe; who was not subscribed is kept from being so automatically. Raises NotFound."""
        room, _ = self._thread(requester, room_id, root_id)
        subscription = ThreadSubscription(room.room_nid, root_id, False, False, self._position())
        self._writer.submit(lambda transaction: self._store.set(transaction, requester.user_nid, subscription))

    def get(self, requester: Requester, room_id: RoomId, root_id: EventId) -> ThreadSubscription:
        """The subscription to a thread. Raises NotFound where there is none."""
        room, _ = self._thread(requester, room_id, root_id)
        found = self._store.find(self._database, requester.user_nid, room.room_nid, root_id)
        if found is None or not found.is_subscribed:
            raise NotFound("You are not subscribed to this thread.")
        return found

    def _thread(self, requester: Requester, room_id: RoomId, root_id: EventId) -> tuple[RoomName, StoredEvent]:
        try:
            room = self._access.joined(requester, room_id)
        except Forbidden as refused:
            raise NotFound(refused.sentence) from refused
        return room, self._visible(requester, room, root_id)

    def _caused_at(self, requester: Requester, room: RoomName, root_id: EventId, cause_id: EventId) -> int:
        cause = self._visible(requester, room, cause_id)
        if thread_of(self._graph.events, cause) != root_id:
            raise BadRequest(f"{cause_id} is not in the thread of {root_id}.", errcode=f"{_CODES}M_NOT_IN_THREAD")
        return self._log.positions_of(Kind.EVENT, (cause.nid,)).get(cause.nid, 0)

    def _visible(self, requester: Requester, room: RoomName, event_id: EventId) -> StoredEvent:
        return event_in_sight(self._graph, self._viewing, requester, room, event_id)
