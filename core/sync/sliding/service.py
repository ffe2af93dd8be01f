"""Sliding sync: what a client does not know yet of the rooms it looks at, at once or as soon as there is something."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from gevent.event import Event

from core.ids import Position, Requester, UserId, UserNid
from core.storage.log import LogReader
from core.sync.active_users import ActiveUser
from core.sync.asking import Asking, SyncRequest, Window
from core.sync.filters import NO_FILTER
from core.sync.notifier import Notifier
from core.sync.pausing import Pauses
from core.sync.sent_members import SentMembers
from core.sync.service import MAX_TIMEOUT_MS, SyncReply, scope_of, viewer_of
from core.sync.sliding.answering import SlidingAnswers
from core.sync.sliding.connections import Connection, Connections, Told
from core.sync.sliding.request import SlidingBody
from core.sync.tokens import SyncToken


@dataclass(frozen=True, slots=True)
class SlidingRequest:
    """One request. `pos` is that of the answer the client goes on from, '' to start."""

    requester: Requester
    body: SlidingBody
    pos: str = ""
    timeout_ms: int = 0


class SlidingService:
    """Answers sliding syncs. `ignored_by` says whom a user ignores, from memory."""

    def __init__(
        self,
        notifier: Notifier,
        log: LogReader,
        answers: SlidingAnswers,
        ignored_by: Callable[[UserNid], frozenset[UserId]],
    ) -> None:
        self._notifier = notifier
        self._log = log
        self._answers = answers
        self._ignored_by = ignored_by
        self._connections = Connections()

    def sync(self, request: SlidingRequest) -> SyncReply:
        """Answer one request, which may wait for up to its timeout.

        Raises: UnknownPosition (400), InvalidParam for a token of to-device messages that this server never gave.
        """
        requester, name = request.requester, request.body.conn_id
        user_nid, scope = requester.user_nid, scope_of(requester)
        self._notifier.catch_up(self._notifier.announced)
        if request.pos:
            connection, told = self._connections.find(user_nid, scope, name, request.pos)
            again = connection.reply_to(request.pos, request.body)
            if again:
                return SyncReply(again, 0.0)
        else:
            connection, told = self._connections.open(user_nid, scope, name), Told()
        self._notifier.catch_up(told.token.position)
        reply = self._answered(request, connection, told)
        self._connections.weigh(user_nid, scope)
        return reply

    def _answered(self, request: SlidingRequest, connection: Connection, told: Told) -> SyncReply:
        started = time.monotonic()
        deadline = started + min(max(request.timeout_ms, 0), MAX_TIMEOUT_MS) / 1000
        waiter, waited = Event(), 0.0
        user, turn = self._notifier.user(request.requester.user_nid), connection.begin(waiter)
        user.waiters.append(waiter)
        try:
            while True:
                waiter.clear()
                if told.body is not request.body or self._has_news(user, told.token):
                    pos = self._connections.new_position()
                    reply, told = self._answer(request, user, told, pos)
                    if reply is not None:
                        connection_told = told
                        break
                remaining = deadline - time.monotonic()
                if remaining <= 0 or self._notifier.is_stopping or connection.is_over(turn):
                    pos = request.pos if connection.is_over(turn) else self._connections.new_position()
                    connection_told = self._at_now(told)
                    reply = self._answers.nothing(request.requester, connection_told, pos)
                    break
                before = time.monotonic()
                waiter.wait(remaining)
                waited += time.monotonic() - before
        finally:
            user.waiters.remove(waiter)
        if not connection.is_over(turn):
            connection.answered(request.pos, request.body, pos, connection_told, reply)
        return SyncReply(reply, waited)

    def _answer(self, request: SlidingRequest, user: ActiveUser, told: Told, pos: str) -> tuple[bytes | None, Told]:
        since, upto = told.token, self._now(told.token)
        counted = since.counted_since(upto.epoch)
        window = Window(user, since.position, upto.position, counted, upto.n)
        viewer = viewer_of(request.requester)
        asking = Asking(
            SyncRequest(request.requester, NO_FILTER, since),
            viewer,
            window,
            self._ignored_by(viewer.user_nid),
            SentMembers({}),
            False,
            Pauses(),
        )
        return self._answers.answer(asking, request.body, told, pos, upto)

    def _has_news(self, user: ActiveUser, since: SyncToken) -> bool:
        if since.position < user.floor or user.latest > since.position:
            return True
        return user.counted > since.counted_since(self._notifier.epoch)

    def _at_now(self, told: Told) -> Told:
        return replace(told, token=self._now(told.token))

    def _now(self, since: SyncToken) -> SyncToken:
        position = max(self._notifier.position, since.position)
        return SyncToken(Position(position), self._notifier.epoch, self._notifier.count)
