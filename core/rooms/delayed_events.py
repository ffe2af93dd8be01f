"""Delayed events: sent when their time is up, unless their sender restarts, cancels or sends them before.

A call's client schedules "I have left" this way and keeps restarting it, so that a client that vanishes leaves too.
One greenlet sleeps until the next is due; what fell due while the server was down goes out at the start. An event is
sent as its sender could send it at that moment: one who may not any more has theirs dropped. Spec: MSC4140.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gevent
from gevent.event import Event

from core.errors import BadRequest, Forbidden, LimitExceeded, MatrixError, NotFound, Unavailable
from core.graph.drafts import Draft
from core.graph.graph import Graph
from core.ids import EventNid, Requester, RoomId, UserId
from core.rooms.access import RoomAccess, scope_of
from core.rooms.membership import Memberships
from core.rooms.sending import Sending, check_draft
from core.storage.delayed_events import DelayedEvent, DelayedEventStore
from core.storage.rooms import RoomName
from core.storage.transaction import Transaction
from core.storage.users import UserStore
from core.storage.writer import Writer

logger = logging.getLogger(__name__)

SENT_AT_ONCE = 100
"""So many due events are read at a time."""
RETRY_SECONDS = 1.0
"""How long it is waited after the database could not be reached."""


@dataclass(frozen=True, slots=True)
class DelayLimits:
    """What users may ask for; no `max_delay_ms`, or 0 events a user, and nobody may ask at all."""

    max_delay_ms: int | None
    max_per_user: int


class DelayedEvents:
    """One per deployment. `start` begins to send."""

    def __init__(
        self,
        graph: Graph,
        access: RoomAccess,
        sending: Sending,
        memberships: Memberships,
        users: UserStore,
        store: DelayedEventStore,
        writer: Writer,
        limits: DelayLimits,
    ) -> None:
        self._graph = graph
        self._access = access
        self._sending = sending
        self._memberships = memberships
        self._users = users
        self._store = store
        self._writer = writer
        self._limits = limits
        self._going: set[str] = set()
        """The ids of those that are being sent: too late to change them."""
        self._changed = Event()
        self._is_stopping = False
        self._greenlet: gevent.Greenlet | None = None

    def start(self) -> None:
        """Send what fell due meanwhile, and go on."""
        self._greenlet = gevent.spawn(self._run)

    def stop(self) -> None:
        """Finish the one being sent; the others wait for the next start."""
        self._is_stopping = True
        self._changed.set()
        if self._greenlet is not None:
            self._greenlet.join()
            self._greenlet = None

    def schedule(
        self,
        requester: Requester,
        room_id: RoomId,
        draft: tuple[str, str | None, Mapping[str, Any]],
        delay_ms: int,
        txn_id: str | None = None,
    ) -> str:
        """Keep an event (type, state key or None, content) for later; its delay id.

        A `txn_id` used before, by the same device for the same room and type, returns what it made as long as that
        waits. Raises Forbidden outside the room, BadRequest for a delay that is too long, LimitExceeded.
        """
        event_type, state_key, content = draft
        self._check_delay(delay_ms)
        room = self._access.joined(requester, room_id)
        check_draft(Draft(event_type, requester.user_id, content, state_key))
        now_ms = _now_ms()
        event = DelayedEvent(
            secrets.token_urlsafe(24),
            _request_key(requester, room_id, event_type, txn_id),
            requester.user_nid,
            room.room_nid,
            event_type,
            state_key,
            content,
            delay_ms,
            now_ms,
            self._current(room, event_type, state_key)[0],
        )
        return self._add(event, now_ms)

    def waiting(self, requester: Requester) -> list[dict[str, Any]]:
        """What of the requester's waits, as clients see it, due first first."""
        mine = self._store.of_user(requester.user_nid)
        return [self._shown(one) for one in mine if one.delay_id not in self._going and not self._is_overtaken(one)]

    def get(self, requester: Requester, delay_id: str) -> dict[str, Any]:
        """One that waits. Raises NotFound, for other people's as well."""
        event = self._get(delay_id)
        if event.user_nid != requester.user_nid:
            raise _unknown(delay_id)
        return self._shown(event)

    def restart(self, delay_id: str) -> None:
        """Let the delay begin again. Whoever knows the id may. Raises NotFound."""
        self._get(delay_id)
        if not self._writer.submit(lambda transaction: self._store.restart(transaction, delay_id, _now_ms())):
            raise _unknown(delay_id)
        self._changed.set()

    def cancel(self, delay_id: str) -> None:
        """Never send it. Raises NotFound."""
        self._get(delay_id)
        if not self._writer.submit(lambda transaction: self._store.remove(transaction, delay_id)):
            raise _unknown(delay_id)

    def send(self, delay_id: str) -> None:
        """Send it now. Raises NotFound, and whatever sending it raises; it is gone then."""
        self._send(self._get(delay_id))

    def send_due(self) -> float | None:
        """Send everything whose time has come; the seconds until the next, None where nothing waits."""
        while not self._is_stopping:
            due = self._store.due(_now_ms(), SENT_AT_ONCE)
            if not due:
                break
            for event in due:
                if not self._is_stopping and event.delay_id not in self._going:
                    self._send_due(event)
        next_ms = self._store.next_due_ms()
        return None if next_ms is None else max(0.0, (next_ms - _now_ms()) / 1000)

    def _run(self) -> None:
        while not self._is_stopping:
            self._changed.clear()
            try:
                pause = self.send_due()
            except Exception:
                logger.exception("Delayed events could not be sent; trying again.")
                pause = RETRY_SECONDS
            if not self._is_stopping:
                self._changed.wait(None if pause is None else max(pause, 0.001))

    def _send_due(self, event: DelayedEvent) -> None:
        try:
            if self._is_overtaken(event):
                self._writer.submit(lambda transaction: self._store.remove(transaction, event.delay_id))
            else:
                self._send(event)
        except Unavailable:
            raise
        except MatrixError as refused:
            logger.info("The delayed event %s was dropped: %s", event.delay_id, refused.sentence)

    def _send(self, event: DelayedEvent) -> None:
        """Send and delete. The delay id is the transaction id, so that what a crash left undeleted is not sent twice."""
        self._going.add(event.delay_id)
        try:
            try:
                self._pass_on(event)
            except Unavailable:
                raise
            except MatrixError:
                self._writer.submit(lambda transaction: self._store.remove(transaction, event.delay_id))
                raise
            self._writer.submit(lambda transaction: self._store.remove(transaction, event.delay_id))
        finally:
            self._going.discard(event.delay_id)

    def _pass_on(self, event: DelayedEvent) -> None:
        user = self._users.find_by_nid(event.user_nid)
        if user is None or user.is_deactivated or user.is_locked or user.is_suspended:
            raise Forbidden("The account that wanted this sent may not send any more.")
        requester = Requester(user.user_id, user.user_nid, None, 0, is_guest=user.is_guest, is_admin=user.is_admin)
        room_id = self._graph.rooms.name(event.room_nid).room_id
        if event.state_key is None:
            self._sending.send(requester, room_id, event.type, event.content, event.delay_id)
        elif event.type == "m.room.member":
            self._memberships.set_by_state(requester, room_id, UserId(event.state_key), event.content)
        else:
            self._sending.set_state(requester, room_id, event.type, event.state_key, event.content)

    def _add(self, event: DelayedEvent, now_ms: int) -> str:
        limit = self._limits.max_per_user

        def apply(transaction: Transaction) -> str:
            made = self._store.made_by(transaction, event.user_nid, event.request)
            if made is not None:
                return made
            count, first_due_ms = self._store.count_of(transaction, event.user_nid)
            if count >= limit:
                raise LimitExceeded(
                    f"{count} delayed events of yours wait already; at most {limit} may.",
                    retry_after_ms=max(1, first_due_ms - now_ms),
                )
            self._store.add(transaction, event)
            return event.delay_id

        delay_id = self._writer.submit(apply)
        self._changed.set()
        return delay_id

    def _get(self, delay_id: str) -> DelayedEvent:
        event = self._store.find(delay_id)
        if event is None or delay_id in self._going or self._is_overtaken(event):
            raise _unknown(delay_id)
        return event

    def _is_overtaken(self, event: DelayedEvent) -> bool:
        """Whether somebody else has set the same piece of state since: their word is newer, and this one is void."""
        if event.state_key is None:
            return False
        nid, sender = self._current(self._graph.rooms.name(event.room_nid), event.type, event.state_key)
        return nid not in (0, event.replaced_nid) and self._graph.texts.find(sender) != event.user_nid

    def _current(self, room: RoomName, event_type: str, state_key: str | None) -> tuple[EventNid, str]:
        """The number and the sender of the event that holds a state key; 0 and '' for none."""
        current = None if state_key is None else self._graph.states.current(room.room_nid).get(event_type, state_key)
        return (EventNid(0), "") if current is None else (current.nid, current.sender)

    def _shown(self, event: DelayedEvent) -> dict[str, Any]:
        state_key = {} if event.state_key is None else {"state_key": event.state_key}
        return {
            "delay_id": event.delay_id,
            "room_id": self._graph.rooms.name(event.room_nid).room_id,
            "type": event.type,
            **state_key,
            "delay": event.delay_ms,
            "running_since": event.running_since_ms,
            "content": event.content,
        }

    def _check_delay(self, delay_ms: int) -> None:
        longest = self._limits.max_delay_ms
        if not longest or not self._limits.max_per_user:
            raise Forbidden("Delayed events are not allowed on this server.")
        if delay_ms > longest:
            raise BadRequest(
                f"The delay of {delay_ms} ms is longer than the {longest} ms that are allowed.",
                errcode="ORG.MATRIX.MSC4140_DELAY_TOO_LARGE",
                **{
                    "org.matrix.msc4140.errcode": "M_MAX_DELAY_EXCEEDED",
                    "org.matrix.msc4140.max_delay": longest,
                },
            )


def _request_key(requester: Requester, room_id: RoomId, event_type: str, txn_id: str | None) -> bytes:
    """What a repeated request has in common with the first; of one without a transaction id, nothing."""
    if txn_id is None:
        return secrets.token_bytes(32)
    parts = (scope_of(requester), room_id, event_type, txn_id)
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).digest()


def _unknown(delay_id: str) -> NotFound:
    return NotFound(f"No delayed event {delay_id[:100]} is waiting.")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
