"""Sends what is queued for pushers to their gateways, each pusher at its own pace.

A gateway that does not answer is asked again, later and later, while the pusher's queue keeps its newest notifications;
one that rejects a pushkey has its pusher removed. What was queued when the server stopped is sent after its start.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Collection
from typing import Any

import gevent
import orjson
from gevent.event import Event
from gevent.pool import Pool

from core.errors import MatrixError
from core.hooks.api import Http
from core.push.messages import Messages
from core.push.outbox import BADGE
from core.storage.pushers import HTTP, Push, Pusher, PusherStore
from core.storage.writer import Writer

AT_ONCE = 50
"""So many pushers are served at the same time."""
TIMEOUT_MS = 15_000
MAX_ANSWER_BYTES = 65_536
FIRST_RETRY_SECONDS = 1.0
LONGEST_RETRY_SECONDS = 3_600.0
MAX_BADGES = 50_000
"""Of so many pushers it is kept which number was sent last, so that the same is not sent twice."""
_HEADERS = {"Content-Type": "application/json"}

_log = logging.getLogger(__name__)


class PushSender:
    """One per deployment. `wake` may be called from anywhere and does not wait."""

    def __init__(
        self,
        store: PusherStore,
        messages: Messages,
        http: Http,
        writer: Writer,
        first_retry_s: float = FIRST_RETRY_SECONDS,
        jitter_s: float = 0.0,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._messages = messages
        self._http = http
        self._writer = writer
        self._first_retry_s = first_retry_s
        self._jitter_s = jitter_s
        self._now = now
        self._due: set[int] = set()
        self._busy: set[int] = set()
        self._retries: dict[int, tuple[float, float]] = {}
        """pusher -> (when to try again, how long it was waited for that)."""
        self._badges: dict[int, int] = {}
        self._work = Event()
        self._is_stopping = False
        self._pool = Pool(AT_ONCE)
        self._greenlet: gevent.Greenlet | None = None

    def start(self) -> None:
        """Begin with what was left waiting."""
        self.wake(self._store.waiting(HTTP))
        self._greenlet = gevent.spawn(self._run)

    def stop(self) -> None:
        """Cut short what is being sent; it is sent again after the restart."""
        self._is_stopping = True
        self._work.set()
        if self._greenlet is not None:
            self._greenlet.join()
            self._pool.kill()
            self._greenlet = None

    def wake(self, pushers: Collection[int]) -> None:
        """Something waits for these pushers. With a jitter it is begun with at some time within that."""
        if self._jitter_s and not self._is_stopping:
            gevent.spawn_later(random.uniform(0.0, self._jitter_s), self._begin, pushers)
        else:
            self._begin(pushers)

    def _begin(self, pushers: Collection[int]) -> None:
        self._due.update(pushers)
        self._work.set()

    def _run(self) -> None:
        while not self._is_stopping:
            self._work.wait(self._pause())
            self._work.clear()
            now = time.monotonic()
            ready = {pusher for pusher, (due, _) in self._retries.items() if due <= now}
            ready |= self._due - self._retries.keys()
            self._due &= self._busy  # who is busy now may just have found nothing any more
            for pusher in ready - self._busy:
                self._busy.add(pusher)
                self._pool.spawn(self._serve, pusher)

    def _pause(self) -> float | None:
        """Seconds until a gateway is to be tried again."""
        waiting = [due for pusher, (due, _) in self._retries.items() if pusher not in self._busy]
        return max(min(waiting) - time.monotonic(), 0.01) if waiting else None

    def _serve(self, pusher_nid: int) -> None:
        """Send what waits for one pusher, until nothing does or its gateway fails."""
        try:
            while not self._is_stopping and self._send_next(pusher_nid):
                pass
        except Exception:
            _log.exception("Could not send what waits for the pusher %d.", pusher_nid)
            self._put_off(pusher_nid)
        finally:
            self._busy.discard(pusher_nid)
            self._work.set()

    def _send_next(self, pusher_nid: int) -> bool:
        pusher = self._store.find(pusher_nid)
        queue = self._store.queue(pusher_nid) if pusher is not None else []
        if pusher is None or not queue:
            self._retries.pop(pusher_nid, None)
            return False
        push = queue[0]
        body = self._messages.notification(pusher, push)
        unread = 0 if body is None else body["notification"]["counts"].get("unread", 0)
        if body is None or (push.event_nid == BADGE and self._badges.get(pusher_nid) == unread):
            self._writer.submit(lambda transaction: self._store.drop(transaction, (push,)))
            return True
        rejected = self._post(pusher, body)
        if rejected is None:
            self._failed(pusher)
            return False
        self._retries.pop(pusher_nid, None)
        if pusher.pushkey in rejected:
            _log.info("The gateway rejected the pushkey of the pusher %d, which is removed.", pusher_nid)
            self._writer.submit(lambda transaction: self._store.remove(transaction, pusher_nid))
            return False
        self._note(pusher_nid, push, unread)
        return True

    def _note(self, pusher_nid: int, push: Push, unread: int) -> None:
        now_ms = int(self._now() * 1000)
        self._writer.submit(lambda transaction: self._store.done(transaction, push, now_ms))
        if len(self._badges) >= MAX_BADGES:
            self._badges.clear()
        self._badges[pusher_nid] = unread

    def _post(self, pusher: Pusher, body: dict[str, Any]) -> Collection[str] | None:
        """The pushkeys that the gateway rejects, None where it did not take the notification."""
        url = orjson.loads(pusher.details)["data"]["url"]
        try:
            answer = self._http.request(
                "POST",
                url,
                body=orjson.dumps(body),
                headers=_HEADERS,
                timeout_ms=TIMEOUT_MS,
                max_bytes=MAX_ANSWER_BYTES,
            )
        except MatrixError as error:
            _log.info("The gateway of the pusher %d could not be reached: %s", pusher.pusher_nid, error.sentence)
            return None
        if not 200 <= answer.status < 300:
            _log.info("The gateway of the pusher %d answered with %d.", pusher.pusher_nid, answer.status)
            return None
        try:
            rejected = orjson.loads(answer.body).get("rejected", [])
        except (orjson.JSONDecodeError, AttributeError):
            return ()
        return [one for one in rejected if isinstance(one, str)] if isinstance(rejected, list) else ()

    def _failed(self, pusher: Pusher) -> None:
        if not pusher.failing_since_ms:
            now_ms = int(self._now() * 1000)
            self._writer.submit(lambda transaction: self._store.failed(transaction, pusher.pusher_nid, now_ms))
        self._put_off(pusher.pusher_nid)

    def _put_off(self, pusher_nid: int) -> None:
        _, delay = self._retries.get(pusher_nid, (0.0, self._first_retry_s / 2))
        delay = min(2 * delay, LONGEST_RETRY_SECONDS)
        self._retries[pusher_nid] = (time.monotonic() + delay, delay)
