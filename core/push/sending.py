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

import orjson

from core.errors import MatrixError
from core.hooks.api import Http
from core.push.messages import Messages
from core.push.outbox import BADGE
from core.push.turns import Turns
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
        self._retries: dict[int, float] = {}
        """pusher -> how long it was waited for the next try."""
        self._badges: dict[int, int] = {}
        self._turns = Turns(self._serve, AT_ONCE)

    def start(self) -> None:
        """Begin with what was left waiting."""
        self.wake(self._store.waiting(HTTP))
        self._turns.start()

    def stop(self) -> None:
        """Cut short what is being sent; it is sent again after the restart."""
        self._turns.stop()

    def wake(self, pushers: Collection[int]) -> None:
        """Something waits for these pushers. With a jitter it is begun with at some time within that."""
        self._turns.put(pushers, random.uniform(0.0, self._jitter_s) if self._jitter_s else 0.0)

    def _serve(self, pusher_nid: int) -> float | None:
        """Send what waits for one pusher, until nothing does or its gateway fails."""
        try:
            while not self._turns.is_stopping:
                pusher = self._store.find(pusher_nid)
                queue = self._store.queue(pusher_nid) if pusher is not None else []
                if pusher is None or not queue:
                    break
                if not self._send(pusher, queue[0]):
                    return self._put_off(pusher_nid)
        except Exception:
            _log.exception("Could not send what waits for the pusher %d.", pusher_nid)
            return self._put_off(pusher_nid)
        self._retries.pop(pusher_nid, None)
        return None

    def _send(self, pusher: Pusher, push: Push) -> bool:
        """Deal with one push; False where the gateway did not take it."""
        body = self._messages.notification(pusher, push)
        unread = 0 if body is None else body["notification"]["counts"].get("unread", 0)
        if body is None or (push.event_nid == BADGE and self._badges.get(pusher.pusher_nid) == unread):
            self._writer.submit(lambda transaction: self._store.drop(transaction, (push,)))
            return True
        rejected = self._post(pusher, body)
        if rejected is None:
            self._failed(pusher)
            return False
        self._retries.pop(pusher.pusher_nid, None)
        if pusher.pushkey in rejected:
            _log.info("The gateway rejected the pushkey of the pusher %d, which is removed.", pusher.pusher_nid)
            self._writer.submit(lambda transaction: self._store.remove(transaction, pusher.pusher_nid))
        else:
            self._note(pusher.pusher_nid, push, unread)
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

    def _put_off(self, pusher_nid: int) -> float:
        """After how many seconds to try again."""
        seconds = min(2 * self._retries.get(pusher_nid, self._first_retry_s / 2), LONGEST_RETRY_SECONDS)
        self._retries[pusher_nid] = seconds
        return seconds
