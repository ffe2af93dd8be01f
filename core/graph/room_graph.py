"""The writing side of rooms: create, send, append, judge. The one way a room grows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import gevent
from immutables import Map

from core.errors import Conflict, NotFound
from core.events.auth_rules import authorize
from core.events.event import Event
from core.events.room_versions import RoomVersion
from core.graph.appending.admission import Admission, Appended, CreatedRoom, Judgement
from core.graph.appending.admitting import Refused, admit
from core.graph.appending.appender import TRIES, Appender
from core.graph.appending.entering import STAGED_LEAST, Entrances
from core.graph.appending.judging import judge
from core.graph.appending.placing import Placement, find_state_before
from core.graph.appending.relating import texts_of
from core.graph.appending.sending import (
    MOST_PREV_EVENTS,
    Author,
    build,
    new_room_id,
    place_of_next,
    place_own,
    send_draft,
)
from core.graph.appending.work import Work
from core.graph.drafts import Draft, TransactionId
from core.graph.endorsing import LateEndorser
from core.graph.lines import NO_LINE, StateMap
from core.graph.sent_requests import SentRequests
from core.graph.states import RoomState
from core.graph.stored_event import StoredEvent
from core.graph.tips import Tip
from core.ids import EventId, EventNid, RoomId, RoomNid, StateKey
from core.storage.writer import Transaction

Drafts = Sequence[Draft] | Callable[[RoomState], Sequence[Draft]]


class RoomGraph:
    """Makes rooms grow. Every method that writes returns after the commit."""

    def __init__(self, appender: Appender, requests: SentRequests, author: Author) -> None:
        self.endorser = LateEndorser()
        self._appender = appender
        self._bench = appender.bench
        self._tips = appender.tips
        self._requests = requests
        self._entrances = Entrances(appender)
        self._author = author

    def create(self, version: RoomVersion, drafts: Sequence[Draft], room_id: RoomId | None = None) -> CreatedRoom:
        """Make a room with its first events, all at once; the first draft is the create event.

        The room's id is made up where none is given, and founded by the create event from room version 12. Raises
        AuthRuleViolation (403) if any of the events is not allowed, and Conflict where the room exists already.
        """
        self._intern(drafts)
        room_nid = self._bench.stores.rooms.take_nid()

        def attempt() -> Work:
            named = None if version.room_id_is_create_hash else room_id or new_room_id(self._author.server_name)
            return self._found(version, named, room_nid, drafts)

        work = self._appender.restarting(attempt)
        founded = work.tip.room_id
        if self._bench.stores.rooms.find(founded) is not None:
            raise Conflict(f"There is a room {founded} already.", errcode="M_ROOM_IN_USE")

        def apply(transaction: Transaction) -> Appended:
            if not self._bench.stores.rooms.add(transaction, room_nid, founded, version):
                raise Conflict(f"There is a room {founded} already.", errcode="M_ROOM_IN_USE")
            return self._appender.write(work, transaction)

        appended = self._appender.direct(room_nid, apply)
        return CreatedRoom(room_nid, founded, appended.events)

    def check_creation(self, version: RoomVersion, drafts: Sequence[Draft], room_id: RoomId) -> None:
        """Raise AuthRuleViolation or EventRefused where `create` would; writes nothing but strings' numbers."""
        self._intern(drafts)
        named = None if version.room_id_is_create_hash else room_id
        self._appender.restarting(lambda: self._found(version, named, RoomNid(0), drafts))

    def send(self, room: RoomNid, drafts: Drafts, transaction_id: TransactionId | None = None) -> list[StoredEvent]:
        """Send events of local users, one after another, in one transaction; returns them once they are durable.

        `drafts` may be a function of the state before the first of them; it must be quick and pure, and may be called
        more than once. A `transaction_id` that was used before returns the event sent then. Raises AuthRuleViolation
        (403), EventRefused (400, or 413 for size), NotFound for a room without a state. A room with a policy server gets
        the events one by one, and what that raises is raised.
        """
        if transaction_id is not None and (sent := self._requests.find(transaction_id)) is not None:
            return [self._bench.events.by_nid(sent)]
        if self.endorser.is_needed(room):
            with self._requests.in_turn(transaction_id) as sent:
                if sent is not None:
                    return [self._bench.events.by_nid(sent)]
                return self._send_endorsed(room, drafts, transaction_id)
        if not callable(drafts):
            self._intern(drafts)
        for attempt in range(TRIES + 1):
            tip = self._tips.get(room)
            if tip.line == NO_LINE:
                raise NotFound("This server has no state of the room.")
            merged = self._merged(tip) if len(tip.extremities) > MOST_PREV_EVENTS and attempt < TRIES else None
            is_last = attempt == TRIES

            def apply(
                transaction: Transaction, merged: Merged | None = merged, is_last: bool = is_last
            ) -> list[StoredEvent] | None:
                return self._send(transaction, room, drafts, transaction_id, merged, is_last)

            done = self._appender.direct(room, apply)
            if done is not None:
                return done
        raise AssertionError("the last attempt does not give up")

    def find_sent(self, transaction_id: TransactionId) -> StoredEvent | None:
        """The event that a repeated request has made before."""
        sent = self._requests.find(transaction_id)
        return None if sent is None else self._bench.events.by_nid(sent)

    def append(self, room: RoomNid, admissions: Sequence[Admission], is_entrance: bool = False) -> Appended:
        """Let events in, in the order given, all in one transaction.

        Prev and auth events come before what follows them. `is_entrance` says that the one live event, whose state
        before it is given, lets this server into the room, for the first time or again: its state becomes the current
        one. Raises MissingEvents and MissingAuthEvents, and has written nothing then.
        """
        refused: Refused = {}
        self._bench.stores.events.reserve_nids(2 * len(admissions))
        texts: set[str] = set()
        for admission in admissions:
            event = admission.event
            texts |= texts_of(event.type, event.sender, event.state_key, event.content)
        self._bench.texts.nids(texts)

        def plan(work: Work) -> None:
            work.is_entrance = is_entrance
            admit(work, admissions, refused)

        appended = None
        if is_entrance and self._is_staged(room, admissions):
            appended = self._entrances.enter(room, admissions[0], refused)
        return replace(appended or self._appender.prepared(room, plan), refused=refused)

    def discard_entrances(self) -> None:
        """Throw away what interrupted entrances into big rooms have left. Call at start."""
        self._entrances.discard()

    def judge(self, room: RoomNid, event: Event, state: Mapping[StateKey, EventId] | None = None) -> Judgement:
        """What append would make of a live event: against its auth events, the state before it, and the current state.

        `state` is the state before it as fetched from elsewhere. Writes nothing. Raises MissingEvents,
        MissingAuthEvents.
        """

        def attempt() -> Judgement:
            work = Work(self._tips.get(room), self._bench, None, gevent.idle)
            work.begin_line()
            place = Placement(work, event)
            find_state_before(work, place, state)
            return judge(work, event, place.state, is_live=True)

        self._bench.stores.events.reserve_nids()
        return self._appender.restarting(attempt)

    def draft_event(self, room: RoomNid, draft: Draft) -> Event:
        """The event that `draft` would become now, hashed and signed, but not sent: to check it before hooks are asked.

        Raises AuthRuleViolation (403) where it would not be allowed. Cheap; holds nothing.
        """
        self._intern((draft,))

        def attempt() -> Event:
            tip = self._tips.get(room)
            if tip.line == NO_LINE:
                raise NotFound("This server has no state of the room.")
            work = Work(tip, self._bench, None, gevent.idle)
            return send_draft(work, draft, self._author).event

        return self._appender.restarting(attempt)

    def _send_endorsed(self, room: RoomNid, drafts: Drafts, transaction_id: TransactionId | None) -> list[StoredEvent]:
        """Send events that somebody else has to recommend; nothing is held while they are asked."""
        if callable(drafts):
            tip = self._tips.get(room)
            known = Work(tip, self._bench, None, gevent.idle).known
            drafts = drafts(RoomState(tip.state, None, known, self._bench.texts))
        sent: list[StoredEvent] = []
        for draft in drafts:
            event = self.endorser.endorse(room, self.draft_event(room, draft))
            sent.append(self._append_own(room, event, None if sent else transaction_id))
        return sent

    def _append_own(self, room: RoomNid, event: Event, transaction_id: TransactionId | None) -> StoredEvent:
        refused: Refused = {}

        def plan(work: Work) -> None:
            admit(work, (Admission(event),), refused)
            for violation in refused.values():
                raise violation

        def also(transaction: Transaction, appended: Appended) -> None:
            if transaction_id is not None:
                self._requests.remember(transaction, transaction_id, appended.events[0].nid, self._author.now_ms())

        return self._appender.prepared(room, plan, also).events[0]

    def _is_staged(self, room: RoomNid, admissions: Sequence[Admission]) -> bool:
        """Whether an entrance is into a new room, and too big for one job."""
        state = admissions[0].state if len(admissions) == 1 else None
        return state is not None and len(state) >= STAGED_LEAST and self._tips.get(room).line == NO_LINE

    def _intern(self, drafts: Sequence[Draft]) -> None:
        texts: set[str] = set()
        for draft in drafts:
            texts |= texts_of(draft.type, draft.sender, draft.state_key, draft.content)
        known = self._bench.texts
        if any(known.find(text) is None for text in texts):
            known.nids(texts)
        self._bench.stores.events.reserve_nids(2 * len(drafts))

    def _found(self, version: RoomVersion, room_id: RoomId | None, room: RoomNid, drafts: Sequence[Draft]) -> Work:
        """All events of a new room, worked out; nobody else can know it yet."""
        tip = Tip(room, room_id or RoomId(""), version, 0, NO_LINE, 0, -1, Map(), {}, 0, 0, 0)
        if room_id is None:
            work = Work(tip, self._bench, None, gevent.idle)
            work.begin_line()
            create = build(work, place_of_next(work), drafts[0], self._author)
            authorize(create, lambda _type, _key: None)
            tip = replace(tip, room_id=create.room_id)
        work = Work(tip, self._bench, None, gevent.idle)
        work.begin_line()
        if room_id is None:
            place_own(work, place_of_next(work), create)
        for draft in drafts[1:] if room_id is None else drafts:
            send_draft(work, draft, self._author)
        return work

    def _merged(self, tip: Tip) -> Merged:
        """For a room with many extremities: the state on which the next event is built, resolved outside the writer."""
        work = Work(tip, self._bench, None, gevent.idle)
        place = self._appender.restarting(lambda: place_of_next(work))
        assert place.state is not None
        return tip.serial, place.state

    def _send(
        self,
        transaction: Transaction,
        room: RoomNid,
        drafts: Drafts,
        transaction_id: TransactionId | None,
        merged: Merged | None,
        is_last: bool,
    ) -> list[StoredEvent] | None:
        work = self._appender.begin(transaction, room)
        if transaction_id is not None and (sent := self._requests.find_in_job(transaction, transaction_id)) is not None:
            return [work.known.by_nid(sent)]
        if len(work.extremities) > MOST_PREV_EVENTS and not is_last:
            if merged is None or merged[0] != work.tip.serial:
                return None
            work.merged = merged[1]
        if callable(drafts):
            state = place_of_next(work).state
            assert state is not None
            drafts = drafts(RoomState(state, None, work.known, self._bench.texts))
        events = [send_draft(work, draft, self._author).nid for draft in drafts]
        if not events:
            return []
        self._appender.write(work, transaction)
        if transaction_id is not None:
            self._requests.remember(transaction, transaction_id, EventNid(events[0]), self._author.now_ms())
        return [work.known.fresh[nid] for nid in events]


Merged = tuple[int, StateMap]
"""(serial of the room, state before the next event)."""
