"""`/sync`: what is new for a user since a token, at once or as soon as there is something.

Spec: Client-Server API, "Syncing".
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from gevent.event import Event

from core.graph.client_events import Viewer
from core.ids import Position, Requester, UserId, UserNid
from core.storage.log import LogReader
from core.sync.active_users import ActiveUser
from core.sync.asking import Asking, SyncRequest, Window
from core.sync.assembling import Assembler
from core.sync.notifier import Notifier
from core.sync.pausing import Pauses
from core.sync.sent_members import SentMembers, SentMembersMemory
from core.sync.tokens import SyncToken

MAX_TIMEOUT_MS = 180_000
"""A sync waits no longer than this, whatever the client asks for."""


@dataclass(frozen=True, slots=True)
class SyncReply:
    """The answer as JSON, and for how many seconds of it nothing was done but wait."""

    body: bytes
    waited_s: float


class SyncService:
    """Answers syncs. `ignored_by` says whom a user ignores, from memory.

    `acknowledged` hears, for each sync, up to which position the client has been told.
    """

    def __init__(
        self,
        notifier: Notifier,
        log: LogReader,
        assembler: Assembler,
        ignored_by: Callable[[UserNid], frozenset[UserId]],
        acknowledged: Callable[[Requester, int], None] = lambda requester, since: None,
    ) -> None:
        self._notifier = notifier
        self._log = log
        self._assembler = assembler
        self._ignored_by = ignored_by
        self._acknowledged = acknowledged
        self._sent = SentMembersMemory()

    def sync(self, request: SyncRequest) -> SyncReply:
        """Answer one sync, which may wait for up to the request's timeout. Raises: what reading the database raises."""
        self._notifier.catch_up(self._notifier.announced)
        user = self._notifier.user(request.requester.user_nid)
        since = self._believed(request.since)
        if since is not None:
            self._acknowledged(request.requester, since.position)
        if since is None or request.full_state:
            return SyncReply(self._at_once(request, user, since), 0.0)
        if self._has_news(user, since):
            body, upto = self._answer(request, user, since)
            if body is not None:
                return SyncReply(body, 0.0)
        else:
            upto = self._now()
        if request.timeout_ms <= 0 or self._notifier.is_stopping:
            return SyncReply(self._nothing(request, since, upto), 0.0)
        return self._wait(request, user, since, upto)

    def _at_once(self, request: SyncRequest, user: ActiveUser, since: SyncToken | None) -> bytes:
        body, upto = self._answer(request, user, since)
        return self._nothing(request, since, upto) if body is None else body

    def _wait(self, request: SyncRequest, user: ActiveUser, since: SyncToken, upto: SyncToken) -> SyncReply:
        """Wait for something to tell. What turned out to be nothing, up to `upto`, is not looked at again."""
        started = time.monotonic()
        deadline = started + min(request.timeout_ms, MAX_TIMEOUT_MS) / 1000
        waiter, waited = Event(), 0.0
        user.waiters.append(waiter)
        try:
            while True:
                waiter.clear()
                if self._has_news(user, upto):
                    body, upto = self._answer(request, user, upto, since)
                    if body is not None:
                        return SyncReply(body, waited)
                else:
                    upto = self._now()
                remaining = deadline - time.monotonic()
                if remaining <= 0 or self._notifier.is_stopping:
                    return SyncReply(self._nothing(request, since, upto), waited)
                before = time.monotonic()
                waiter.wait(remaining)
                waited += time.monotonic() - before
        finally:
            user.waiters.remove(waiter)

    def _believed(self, since: SyncToken | None) -> SyncToken | None:
        """The token, or None where it is from a future that this database does not have: a sync from the beginning."""
        if since is None or self._log.is_of_a_lost_future(since.position):
            return None
        if since.position <= self._notifier.position:
            return since
        if since.position > self._log.tip():
            return None
        self._notifier.catch_up(since.position)
        return since

    def _has_news(self, user: ActiveUser, since: SyncToken) -> bool:
        if since.position < user.floor or user.latest > since.position:
            return True
        return user.counted > since.counted_since(self._notifier.epoch)

    def _now(self) -> SyncToken:
        return SyncToken(self._notifier.position, self._notifier.epoch, self._notifier.count)

    def _answer(
        self, request: SyncRequest, user: ActiveUser, since: SyncToken | None, asked: SyncToken | None = None
    ) -> tuple[bytes | None, SyncToken]:
        """(the answer, None for nothing; the token it leads to). `asked` is the client's token, where that is older."""
        upto = self._now()
        if since is not None and upto.position < since.position:
            upto = SyncToken(since.position, upto.epoch, upto.n)
        window = Window(
            user,
            0 if since is None else since.position,
            upto.position,
            0 if since is None else since.counted_since(upto.epoch),
            upto.n,
        )
        is_lazy, viewer = request.filter.room.state.lazy_load_members, viewer_of(request.requester)
        held = "" if since is None else str(asked or since)
        sent = self._sent.before(viewer.user_nid, viewer.scope, held) if is_lazy else SentMembers({})
        asking = Asking(request, viewer, window, self._ignored_by(viewer.user_nid), sent, since is None, Pauses())
        body = self._assembler.answer(asking, str(upto))
        if is_lazy and body is not None:
            self._sent.keep(viewer.user_nid, viewer.scope, sent, str(upto))
        return body, upto

    def _nothing(self, request: SyncRequest, since: SyncToken | None, upto: SyncToken) -> bytes:
        """The answer of a sync that has nothing to tell."""
        if since is not None and upto.position < since.position:
            upto = SyncToken(Position(since.position), upto.epoch, upto.n)
        token = str(upto)
        if since is not None and request.filter.room.state.lazy_load_members:
            requester = request.requester
            self._sent.go_on(requester.user_nid, scope_of(requester), str(since), token)
        return self._assembler.nothing(request.requester, token)


def viewer_of(requester: Requester) -> Viewer:
    """The requester as somebody who is shown events."""
    return Viewer(requester.user_nid, requester.user_id, scope_of(requester))


def scope_of(requester: Requester) -> str:
    """What a requester's transaction ids, and sent members, are kept apart by: the device, or without one the token."""
    return requester.device_id or f"token:{requester.token_nid}"
