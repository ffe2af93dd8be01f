"""One other server's sender: what it is to be told, in transactions, one after another.

The range of a transaction is on record before it is sent, and its id follows from the range, so that a repeated one is the same.
Typing and receipts ride along; they are kept in memory, the newest of each, and may be lost.
Spec: Server-Server API, "Transactions".
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gevent
import orjson
from gevent.event import Event as Signal

from core.errors import MatrixError
from core.events.canonical_json import encode
from core.federation.backoff import Backoff
from core.federation.calls import ServerCalls
from core.federation.remote_errors import RemoteRefusal
from core.graph.stored_event import StoredEvent
from core.ids import EventNid, ServerName, TextNid
from core.storage.outbound_destinations import OutboundDestinationStore, Told
from core.storage.outbound_inboxes import OutboundInboxStore

MAX_PDUS = 50
MAX_EDUS = 100
MOST_PENDING = 2_000
"""How many events wait in memory; past that they are read from the log again."""
SHORTEST_PAUSE_SECONDS = 0.5

Pending = tuple[int, EventNid]
Edu = Mapping[str, Any]

logger = logging.getLogger(__name__)


class DestinationSender:
    """Sends to one server. `wake` and `tell` never wait."""

    def __init__(
        self,
        server: ServerName,
        origin: ServerName,
        told: Told,
        store: OutboundDestinationStore,
        inbox: OutboundInboxStore,
        calls: ServerCalls,
        backoff: Backoff,
        ours: Callable[[Sequence[EventNid]], list[StoredEvent]],
    ) -> None:
        """`ours` leaves of some events those that are ours to send."""
        self.server = server
        self._origin = origin
        self._nid: TextNid = told.server_nid
        self._done = told.position
        self._sending = told.sending
        self._store = store
        self._inbox = inbox
        self._has_messages = False
        self._calls = calls
        self._backoff = backoff
        self._ours = ours
        self._pending: deque[Pending] = deque()
        self._unread = told.sending
        """Up to where events must be read from the log; past it they are in memory."""
        self._edus: dict[tuple[str, ...], Edu] = {}
        self._most = MAX_PDUS
        self._has_work = Signal()
        self._greenlet: gevent.Greenlet | None = None

    def start(self, upto: int = 0) -> None:
        """Begin; what lies between the cursor and `upto` is read from the log."""
        self._unread = max(self._unread, upto)
        self._has_work.set()
        self._greenlet = gevent.spawn(self._run)

    def stop(self) -> None:
        """End; a transaction on its way is sent again after the next start."""
        if self._greenlet is not None:
            self._greenlet.kill()

    def wake(self, position: int, event: EventNid) -> None:
        """This event is for the server."""
        if position <= self._done or position <= self._unread:
            return
        if len(self._pending) >= MOST_PENDING:
            self._pending.clear()
            self._unread = position
        else:
            self._pending.append((position, event))
        self._has_work.set()

    def tell(self, key: tuple[str, ...], edu: Edu) -> None:
        """This is for the server, in place of what had the same key before."""
        if key not in self._edus and len(self._edus) >= MOST_PENDING:
            return
        self._edus.pop(key, None)
        self._edus[key] = edu
        self._has_work.set()

    def has_messages(self) -> None:
        """Something was put into the server's inbox."""
        self._has_messages = True
        self._has_work.set()

    def revive(self) -> None:
        """The server is there again."""
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
        seconds = max(self._backoff.pause_ms(self.server) / 1000, SHORTEST_PAUSE_SECONDS)
        gevent.sleep(SHORTEST_PAUSE_SECONDS)
        self._has_work.wait(seconds)
        self._has_work.set()

    def _send_next(self) -> bool:
        """Send a transaction; False where there is nothing left to say."""
        upto, events = self._take()
        messages = self._messages()
        edus = dict(list(self._edus.items())[: MAX_EDUS - len(messages)])
        if not events and not edus and not messages:
            if upto > self._done:
                self._finish(upto)
                return True
            return False
        if upto > self._done:
            self._sending = upto
            self._store.put([Told(self._nid, self._done, upto)])
            txn_id = f"{self._done}-{upto}"
        else:
            txn_id = f"{self._done}-e{time.time_ns()}"
        try:
            self._calls.send_transaction(
                self.server, txn_id, self._body(events, [*(one for _, one in messages), *edus.values()])
            )
        except RemoteRefusal as refusal:
            if not 400 <= refusal.answered_status < 500 or refusal.answered_status == 429:
                raise
            self._bisect(events, upto, refusal)
            taken = messages if len(events) <= 1 else []
        else:
            self._most = MAX_PDUS
            self._finish(upto)
            taken = messages
        if taken:
            self._inbox.remove([number for number, _ in taken])
        for key, edu in edus.items():
            if self._edus.get(key) is edu:
                del self._edus[key]
        return True

    def _messages(self) -> list[tuple[int, Edu]]:
        """To-device messages, which stay in the inbox until they were taken."""
        if not self._has_messages:
            return []
        found = self._inbox.first(self.server, MAX_EDUS // 2)
        self._has_messages = bool(found)
        return [
            (number, {"edu_type": "m.direct_to_device", "content": orjson.loads(content)}) for number, content in found
        ]

    def _take(self) -> tuple[int, list[StoredEvent]]:
        """The next events, and the position after which to go on; they stay where they are until they were sent."""
        if self._done < self._unread:
            bound = self._sending if self._done < self._sending else self._unread  # what was begun is repeated
            limit = 10 * self._most
            rows = self._store.events_for(self._nid, self._done, bound, limit)
            end = rows[-1][0] if len(rows) == limit else bound
        else:
            bound = self._sending if self._done < self._sending else self._pending[-1][0] if self._pending else 0
            rows = [one for one in list(self._pending)[: self._most] if one[0] <= bound]
            end = rows[-1][0] if rows else self._done
        positions = {nid: position for position, nid in rows}
        events = self._ours([nid for _, nid in rows])
        if len(events) > self._most:
            events = events[: self._most]
            end = positions[events[-1].nid]
        return end, events

    def _finish(self, upto: int) -> None:
        self._done = max(self._done, upto)
        while self._pending and self._pending[0][0] <= self._done:
            self._pending.popleft()

    def _bisect(self, events: Sequence[StoredEvent], upto: int, refusal: RemoteRefusal) -> None:
        """The server refuses the whole: find out which event it is, and leave that one out."""
        if len(events) > 1:
            self._most, self._sending = len(events) // 2, self._done
            return
        logger.warning("%s refuses %s: %s", self.server, [one.event_id for one in events], refusal.sentence)
        self._most = MAX_PDUS
        self._finish(upto)

    def _body(self, events: Sequence[StoredEvent], edus: Sequence[Edu]) -> bytes:
        """The transaction as canonical JSON."""
        return b'{"edus":[%b],"origin":%b,"origin_server_ts":%d,"pdus":[%b]}' % (
            b",".join(encode(edu, strict=False) for edu in edus),
            orjson.dumps(self._origin),
            int(time.time() * 1000),
            b",".join(one.pdu_bytes for one in events),
        )
