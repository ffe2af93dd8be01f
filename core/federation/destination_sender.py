"""One other server's sender: what waits for it is sent in transactions, one after another.

A server that answers 400 or 413 refuses the contents: events, to-device messages and the rest then go apart, in ever
smaller parcels, until what is at fault is alone. Whatever else goes wrong is the server's condition, and waited out.
Spec: Server-Server API, "Transactions".
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Mapping
from dataclasses import replace

import gevent
from gevent.event import Event as Signal
from gevent.lock import BoundedSemaphore

from core.errors import MatrixError
from core.federation.backoff import Backoff
from core.federation.calls import ServerCalls
from core.federation.outbound_queue import OutboundQueue
from core.federation.parcels import MAX_EDUS, MAX_PDUS, Edu, Parcel
from core.federation.remote_errors import RemoteRefusal
from core.ids import EventNid, ServerName
from core.storage.outbound_destinations import Told

SHORTEST_PAUSE_SECONDS = 0.5
LONGEST_REFUSAL_PAUSE_SECONDS = 600.0
"""How long a server is left alone at most that answers, and takes nothing."""
TURN_SECONDS = 0.001
"""No time at all would let other greenlets run, but look at no socket; idling lasts as long as the server is busy."""
_CONTENTS_REFUSED = frozenset({400, 413})
_KINDS = ("events", "devices", "messages", "edus")

logger = logging.getLogger(__name__)


class SharedLimits:
    """What all senders share, so that hundreds of them that have something to say at once leave room for others."""

    def __init__(self, catching_up_at_once: int) -> None:
        self.catching_up = BoundedSemaphore(catching_up_at_once)
        """How many of them tell of an outage at the same time."""
        self._turn = BoundedSemaphore(1)

    def await_turn(self) -> None:
        """Return to one sender after another, each after everybody else's requests have been looked at."""
        with self._turn:
            gevent.sleep(TURN_SECONDS)


class DestinationSender:
    """Sends to one server. Everything but `stop` returns at once."""

    def __init__(
        self,
        origin: ServerName,
        queue: OutboundQueue,
        calls: ServerCalls,
        backoff: Backoff,
        shared: SharedLimits,
    ) -> None:
        self.server = queue.server
        self._origin = origin
        self._queue = queue
        self._calls = calls
        self._backoff = backoff
        self._shared = shared
        self._was_away = False
        self._must_announce = False
        self._refusals = 0
        self._apart: deque[str] = deque()
        """The kinds of contents that go in parcels of their own next, after one of all kinds was refused."""
        self._most = MAX_PDUS
        """How many things a parcel holds; fewer while one at fault is looked for."""
        self._has_work = Signal()
        self._greenlet: gevent.Greenlet | None = None

    @property
    def position(self) -> int:
        """Up to where every event was delivered."""
        return self._queue.position

    def unnoted(self) -> Told | None:
        """The position that is to go on record, None where it is there already."""
        return self._queue.unnoted()

    def noted(self, told: Told) -> None:
        """This is on record now."""
        self._queue.noted = told.position

    def start(self, upto: int = 0) -> None:
        """Begin; what lies between the cursor and `upto` is read from the log."""
        self._queue.must_read(upto)
        self._was_away = upto > self._queue.position
        self._has_work.set()
        self._greenlet = gevent.spawn(self._run)

    def stop(self) -> None:
        """End; a transaction on its way, and what was not noted, is sent again after the next start."""
        if self._greenlet is not None:
            self._greenlet.kill()

    def wake(self, position: int, event: EventNid) -> None:
        """This event is for the server."""
        if self._queue.add_event(position, event):
            self._has_work.set()

    def tell(self, key: tuple[str, ...], edu: Edu) -> None:
        """This is for the server, in place of what had the same key before."""
        self._queue.add_edu(key, edu)
        self._has_work.set()

    def has_messages(self) -> None:
        """Something was put into the server's inbox."""
        self._queue.has_messages = True
        self._has_work.set()

    def has_device_changes(self) -> None:
        """A user's devices changed, which the server is to know."""
        self._queue.has_device_changes = True
        self._has_work.set()

    def announce(self) -> None:
        """Let the server know that we are here again, even if there is nothing else to say."""
        self._must_announce = True
        self._has_work.set()

    def revive(self) -> None:
        """The server is there again."""
        self._refusals = 0
        self._has_work.set()

    def _run(self) -> None:
        while True:
            self._has_work.wait()
            self._has_work.clear()
            try:
                while self._send_next():
                    pass
            except MatrixError as error:
                logger.info("%s was not told: %s", self.server, error.sentence)
                self._pause()
            except Exception:
                logger.exception("The sender to %s failed.", self.server)
                self._pause()

    def _pause(self) -> None:
        """Wait as long as the server is left alone; less where it comes back by itself."""
        self._was_away = True
        self._queue.forget_pending()
        self._refusals += 1
        refused = min(SHORTEST_PAUSE_SECONDS * 2 ** min(self._refusals, 12), LONGEST_REFUSAL_PAUSE_SECONDS)
        is_down = self._backoff.pause_ms(self.server) / 1000
        gevent.sleep(SHORTEST_PAUSE_SECONDS)
        self._has_work.clear()
        self._has_work.wait(is_down or refused)
        self._has_work.set()

    def _send_next(self) -> bool:
        """Send a transaction; False where there is nothing left to say."""
        self._shared.await_turn()
        if self._was_away:
            self._catch_up()
        parcel = self._next_parcel()
        if parcel.is_empty and not self._must_announce:
            if parcel.upto <= self._queue.position:
                return False
            self._queue.delivered(parcel)
            return True
        try:
            self._send(parcel)
        except RemoteRefusal as refusal:
            if refusal.answered_status not in _CONTENTS_REFUSED or parcel.is_empty:
                raise
            self._narrow(parcel, refusal)
        else:
            self._queue.delivered(parcel)
            self._must_announce = False
            self._most = MAX_PDUS
            if self._apart:
                self._apart.popleft()
        return True

    def _send(self, parcel: Parcel) -> None:
        txn_id, body = parcel.body(self._origin)
        self._calls.send_transaction(self.server, txn_id, body)
        self._refusals = 0

    def _next_parcel(self) -> Parcel:
        """What waits, of all kinds; or, after a refusal, of one kind that has something."""
        while self._apart:
            parcel = self._of_kinds((self._apart[0],))
            if not parcel.is_empty:
                return parcel
            self._apart.popleft()
        return self._of_kinds(_KINDS)

    def _of_kinds(self, kinds: tuple[str, ...]) -> Parcel:
        queue, position = self._queue, self._queue.position
        parcel = queue.events(self._most) if "events" in kinds else Parcel(position, position)
        devices = queue.device_changes(self._most) if "devices" in kinds else {}
        messages = queue.messages(self._most) if "messages" in kinds else {}
        room = min(MAX_EDUS - len(messages) - len(devices), 2 * self._most if self._most > 1 else 1)
        edus = queue.edus(room) if "edus" in kinds else {}
        return replace(parcel, devices=devices, messages=messages, edus=edus)

    def _narrow(self, parcel: Parcel, refusal: RemoteRefusal) -> None:
        """The server refuses the contents: find out which, and let nothing else suffer for it."""
        parts: Mapping[str, int] = {kind: len(getattr(parcel, kind) or ()) for kind in _KINDS}
        if sum(1 for count in parts.values() if count) > 1:
            self._apart = deque(_KINDS)
        elif (count := max(parts.values())) > 1:
            self._most = max(1, min(self._most, count) // 2)
        else:
            self._leave_out(parcel, refusal)
            self._most = MAX_PDUS

    def _leave_out(self, parcel: Parcel, refusal: RemoteRefusal) -> None:
        """One thing alone is refused: it is dropped, a to-device message apart, which is kept for later."""
        names: list[object] = [one.event_id for one in parcel.events]
        names += [*(parcel.devices or {}), *(parcel.messages or {}), *(parcel.edus or {})]
        logger.warning("%s refuses %s: %s", self.server, names, refusal.sentence)
        if parcel.events:
            self._queue.skip_events(parcel)
        elif parcel.messages:
            self._queue.set_aside(parcel)
        elif parcel.devices:
            self._queue.drop_device_changes(parcel)
        else:
            self._queue.drop_edus(parcel)

    def _catch_up(self) -> None:
        """After an outage: where there is much to tell, the newest event of each room, the newest rooms first."""
        with self._shared.catching_up:
            newest = self._queue.newest_of_rooms()
            position = self._queue.position
            for start in range(0, len(newest), MAX_PDUS):
                events = newest[start : start + MAX_PDUS]
                upto = max(one.nid for one in events)
                try:
                    self._send(Parcel(position, upto, events, is_catching_up=True))
                except RemoteRefusal as refusal:
                    if refusal.answered_status not in _CONTENTS_REFUSED:
                        raise
                    logger.warning("%s refuses the newest events of rooms: %s", self.server, refusal.sentence)
            if newest:
                self._queue.caught_up()
        self._was_away = False
