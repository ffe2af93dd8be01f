"""Mails users about what they have missed: not before it has been unread for a while, and not again and again.

A mail tells all that is unread. The next about the same room comes ten minutes later at the earliest, the one after that a
day later, until nothing has notified there for half a day. What waits is in the pusher's queue, so a restart loses none.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress

from core.errors import Unavailable
from core.graph.graph import Graph
from core.graph.stored_event import StoredEvent
from core.hooks.declarations import Mail
from core.ids import RoomNid, UserId
from core.push.mailing.content import MailContent
from core.push.mailing.missed import MissedReader
from core.push.turns import Turns
from core.storage.mail_pauses import MailPause, MailPauseStore
from core.storage.pushers import MAIL, MAX_QUEUED, Push, PusherStore
from core.storage.writer import Transaction, Writer

AT_ONCE = 5
"""So many mails are on their way at the same time."""
FIRST_PAUSE_MS = 10 * 60 * 1000
LONGEST_PAUSE_MS = 24 * 60 * 60 * 1000
QUIET_MS = 12 * 60 * 60 * 1000
"""After so long without a mail about a room the next is not held back."""
FIRST_RETRY_SECONDS = 60.0
LONGEST_RETRY_SECONDS = 3_600.0

_log = logging.getLogger(__name__)


class MailSender:
    """One per deployment. `wake` may be called from anywhere and does not wait. `owner_of` says whose an address is."""

    def __init__(
        self,
        store: PusherStore,
        pauses: MailPauseStore,
        missed: MissedReader,
        content: MailContent,
        graph: Graph,
        writer: Writer,
        send: Callable[[Mail], None],
        owner_of: Callable[[str], UserId | None],
        delay_ms: int,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._pauses = pauses
        self._missed = missed
        self._content = content
        self._graph = graph
        self._writer = writer
        self._send = send
        self._owner_of = owner_of
        self._delay_ms = delay_ms
        self._now = now
        self._retries: dict[int, float] = {}
        self._turns = Turns(self._serve, AT_ONCE)

    def start(self) -> None:
        """Begin with what was left waiting."""
        self._turns.put(self._store.waiting(MAIL))
        self._turns.start()

    def stop(self) -> None:
        """Let go of what is being sent; whether it arrived is not known, and it is sent again after the restart."""
        self._turns.stop()

    def wake(self, pushers: Collection[int]) -> None:
        """Something waits for these pushers."""
        self._turns.put(pushers, self._delay_ms / 1000)

    def _serve(self, pusher_nid: int) -> float | None:
        try:
            again_s = self.attend(pusher_nid)
        except Exception as error:
            return self._put_off(pusher_nid, error)
        self._retries.pop(pusher_nid, None)
        return again_s

    def _put_off(self, pusher_nid: int, error: Exception) -> float:
        if isinstance(error, Unavailable):
            _log.warning("A mail about missed messages could not be sent: %s", error.sentence)
        else:
            _log.error("A mail about missed messages could not be made.", exc_info=error)
        now_ms = int(self._now() * 1000)
        with suppress(Unavailable):  # the server may be stopping
            self._writer.submit(lambda transaction: self._store.failed(transaction, pusher_nid, now_ms))
        seconds = self._retries.get(pusher_nid, FIRST_RETRY_SECONDS)
        self._retries[pusher_nid] = min(2 * seconds, LONGEST_RETRY_SECONDS)
        return seconds

    def attend(self, pusher_nid: int) -> float | None:
        """Send a mail if one is due; in how many seconds to look again, None for when something new happens.

        Raises: `Unavailable` where the mail was not taken.
        """
        pusher = self._store.find(pusher_nid)
        if pusher is None:
            return None
        user_id = UserId(self._graph.texts.text(pusher.user_nid))
        if self._owner_of(pusher.pushkey) != user_id:
            self._writer.submit(lambda transaction: self._store.remove(transaction, pusher_nid))
            return None
        queue = self._store.queue(pusher_nid)
        missed = self._missed.of(pusher.user_nid, queue)
        if missed:
            pauses = self._pauses.of(pusher_nid)
            wait_ms = self._wait_ms(missed, pauses, len(queue) >= MAX_QUEUED)
            if wait_ms > 0:
                return wait_ms / 1000
            self._send(self._content.mail(user_id, pusher.pushkey, missed))
            self._told(queue[-1], missed, pauses)
        elif queue:
            self._writer.submit(lambda transaction: self._store.drop(transaction, queue))
        return None

    def _wait_ms(self, missed: Sequence[StoredEvent], pauses: Mapping[RoomNid, MailPause], is_full: bool) -> float:
        """How long until the first of the rooms may be written of. A queue that is full has lost its oldest."""
        now_ms = self._now() * 1000
        waits = []
        for room, oldest_ms in _oldest(missed, now_ms).items():
            since_ms = 0 if is_full else oldest_ms
            waits.append(max(since_ms + self._delay_ms, _held_until_ms(pauses.get(room), since_ms)) - now_ms)
        return min(waits)

    def _told(self, last: Push, missed: Sequence[StoredEvent], before: Mapping[RoomNid, MailPause]) -> None:
        now_ms = int(self._now() * 1000)
        pauses = []
        for room, oldest_ms in _oldest(missed, now_ms).items():
            is_again = _held_until_ms(before.get(room), oldest_ms) > 0
            pauses.append(MailPause(room, now_ms, LONGEST_PAUSE_MS if is_again else FIRST_PAUSE_MS))

        def write(transaction: Transaction) -> None:
            self._store.done(transaction, last, now_ms)
            self._pauses.put(transaction, last.pusher_nid, pauses)

        self._writer.submit(write)


def _oldest(events: Sequence[StoredEvent], now_ms: float) -> dict[RoomNid, float]:
    """When the oldest of some events in each room was sent; a time that is yet to come is none."""
    found: dict[RoomNid, float] = {}
    for event in events:
        sent_ms = event.origin_server_ts if event.origin_server_ts <= now_ms else 0
        found[event.room_nid] = min(sent_ms, found.get(event.room_nid, now_ms))
    return found


def _held_until_ms(pause: MailPause | None, oldest_ms: float) -> float:
    """Until when a room is not written of, given the last mail about it; 0 where it has been quiet since."""
    if pause is None or oldest_ms - pause.sent_ms > QUIET_MS:
        return 0
    return pause.sent_ms + pause.pause_ms
