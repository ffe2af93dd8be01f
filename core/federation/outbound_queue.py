"""What waits for one other server: events by position, changes of device lists, to-device messages, transient EDUs.

Events are in the log, device lists and to-device messages in tables, the newest of the others in memory; here is how far
each was delivered. After an outage with much to tell, the newest event of each room goes first: from it the server finds
the others by itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

import gevent
import orjson

from core.federation.parcels import MAX_EDUS, MAX_PDUS, Edu, Parcel
from core.graph.events import EventReader
from core.graph.stored_event import StoredEvent
from core.ids import EventNid, RoomNid, ServerName, TextNid
from core.storage.outbound_destinations import OutboundDestinationStore, Told
from core.storage.outbound_device_lists import OutboundDeviceListStore
from core.storage.outbound_inboxes import OutboundInboxStore

MOST_PENDING = 2_000
"""How many events wait in memory; past that they are read from the log again."""
MUCH = 100
"""With more than so many events of shared rooms to tell after an outage, the newest of each room go first."""
POSITIONS_AT_ONCE = 2_000
LATEST_LOOKED_AT = 50
"""Among so many of a room's latest events one of ours is looked for."""

Ours = Callable[[Sequence[EventNid]], list[StoredEvent]]
"""Leaves of some events those that are ours to send, in their order."""


class OutboundQueue:
    """One server's. Reading and delivering are the sender's alone; what comes in never waits."""

    def __init__(
        self,
        server: ServerName,
        told: Told,
        store: OutboundDestinationStore,
        inbox: OutboundInboxStore,
        device_lists: OutboundDeviceListStore,
        events: EventReader,
        ours: Ours,
    ) -> None:
        self.server = server
        self.has_messages = False
        self.has_device_changes = False
        self.position = told.position
        """Up to where everything was delivered."""
        self._nid: TextNid = told.server_nid
        self.noted = told.position
        """The position on record."""
        self._sending = told.position
        """Up to where the transaction goes that may have arrived: it is repeated as it was until it has."""
        self._store = store
        self._inbox = inbox
        self._device_lists = device_lists
        self._events = events
        self._ours = ours
        self._pending: deque[tuple[int, EventNid]] = deque()
        self._unread = told.position
        """Up to where events must be read from the log; past it they are in memory."""
        self._edus: dict[tuple[str, ...], Edu] = {}
        self._set_aside = 0
        """The last of the messages that the server refuses one by one; they are tried again after the next start."""

    def must_read(self, upto: int) -> None:
        """What lies before `upto` is to be read from the log."""
        self._unread = max(self._unread, upto)

    def add_event(self, position: int, event: EventNid) -> bool:
        """This event is for the server; False where that was known."""
        if position <= self.position or position <= self._unread:
            return False
        if len(self._pending) >= MOST_PENDING:
            self.forget_pending()
            self._unread = position
        else:
            self._pending.append((position, event))
        return True

    def add_edu(self, key: tuple[str, ...], edu: Edu) -> None:
        """This is for the server, in place of what had the same key before."""
        if key not in self._edus and len(self._edus) >= MOST_PENDING:
            return
        self._edus.pop(key, None)
        self._edus[key] = edu

    def forget_pending(self) -> None:
        """Read from the log again what waits in memory: the server is away, and it may be for long."""
        if self._pending:
            self._unread = max(self._unread, self._pending[-1][0])
            self._pending.clear()

    def events(self, most: int) -> Parcel:
        """The next events; those of a transaction that may have arrived are the same again."""
        upto, events = self._next_events(min(most, MAX_PDUS))
        self._sending = max(self._sending, upto)
        return Parcel(self.position, upto, events)

    def device_changes(self, most: int) -> dict[int, Edu]:
        """The next changes of device lists, which stay until they were taken."""
        if not self.has_device_changes:
            return {}
        found = self._device_lists.first(self.server, min(most, MAX_EDUS // 4))
        self.has_device_changes = bool(found)
        return {number: orjson.loads(edu) for number, edu in found}

    def messages(self, most: int) -> dict[int, Edu]:
        """The next to-device messages, which stay in the inbox until they were taken."""
        if not self.has_messages:
            return {}
        found = self._inbox.first(self.server, min(most, MAX_EDUS // 2), self._set_aside)
        self.has_messages = bool(found)
        return {number: {"edu_type": "m.direct_to_device", "content": orjson.loads(body)} for number, body in found}

    def edus(self, most: int) -> dict[tuple[str, ...], Edu]:
        """The next transient EDUs."""
        return dict(list(self._edus.items())[:most])

    def newest_of_rooms(self) -> list[StoredEvent]:
        """The newest event of each shared room in what is to be read from the log, where that is much; else nothing.

        Of a room's latest events one of ours is taken, or the latest where none is. Newest rooms come first.
        """
        bound = self._unread
        if len(self._store.events_for(self._nid, self.position, bound, MUCH + 1)) <= MUCH:
            return []
        newest: dict[RoomNid, int] = {}
        for start in range(self.position, bound, POSITIONS_AT_ONCE):
            upto = min(start + POSITIONS_AT_ONCE, bound)
            newest.update(self._store.newest_by_room(self._nid, start, upto))
            gevent.idle()
        found = []
        for room, position in sorted(newest.items(), key=lambda one: -one[1]):
            latest = self._store.latest_of(room, self.position, position, LATEST_LOOKED_AT)
            ours = self._ours(latest)
            found.append(ours[-1].nid if ours else latest[-1])
        return list(self._events.by_nids(found).values())

    def caught_up(self) -> None:
        """The newest events were taken: what was before them is not sent."""
        self._advance(self._unread)

    def unnoted(self) -> Told | None:
        """The position that is to go on record, None where it is there already."""
        if self.position == self.noted:
            return None
        return Told(self._nid, self.position, self.position)

    def delivered(self, parcel: Parcel) -> None:
        """The server has taken a parcel."""
        self._advance(parcel.upto)
        if parcel.messages:
            self._inbox.remove(list(parcel.messages))
        self.drop_device_changes(parcel)
        self.drop_edus(parcel)

    def skip_events(self, parcel: Parcel) -> None:
        """The server refuses these events, and others are not to wait for them."""
        self._advance(parcel.upto)

    def drop_device_changes(self, parcel: Parcel) -> None:
        """These changes were taken, or are refused, which the server notices from the next one's number."""
        if parcel.devices:
            self._device_lists.remove(list(parcel.devices))

    def drop_edus(self, parcel: Parcel) -> None:
        """These EDUs were taken, or are refused; newer ones in their places stay."""
        for key, edu in (parcel.edus or {}).items():
            if self._edus.get(key) is edu:
                del self._edus[key]

    def set_aside(self, parcel: Parcel) -> None:
        """The server refuses these to-device messages: others go before them."""
        self._set_aside = max([self._set_aside, *(parcel.messages or {})])
        self.has_messages = True

    def _advance(self, upto: int) -> None:
        self.position = max(self.position, upto)
        while self._pending and self._pending[0][0] <= self.position:
            self._pending.popleft()

    def _next_events(self, most: int) -> tuple[int, list[StoredEvent]]:
        """(the position after which to go on, events); they stay where they are until they were delivered."""
        if self.position < self._unread:
            bound = self._sending if self.position < self._sending else self._unread  # what was begun is repeated
            limit = 10 * most
            rows = self._store.events_for(self._nid, self.position, bound, limit)
            end = rows[-1][0] if len(rows) == limit else bound
        else:
            last = self._pending[-1][0] if self._pending else 0
            bound = self._sending if self.position < self._sending else last
            rows = [one for one in list(self._pending)[:most] if one[0] <= bound]
            end = rows[-1][0] if rows else self.position
        positions = {nid: position for position, nid in rows}
        events = self._ours([nid for _, nid in rows])
        if len(events) > most:
            events = events[:most]
            end = positions[events[-1].nid]
        return end, events
