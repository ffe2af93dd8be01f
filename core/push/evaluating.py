"""What an event means to the local members of its room, without looking at each of them.

The default rules are evaluated once, with nobody in mind; then those are looked at for whom it may be otherwise. Cost:
one evaluation for each distinct rule set among the members, and one for each user who is named by the event.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass, field

from core.events.power_levels import PowerLevels
from core.events.push_rules import NOTHING, Outcome, Situation
from core.graph.graph import Graph
from core.graph.states import RoomState
from core.graph.stored_event import StoredEvent
from core.graph.threads import thread_of
from core.ids import EventNid, RoomNid, ServerName, UserNid
from core.push.ignoring import Ignoring
from core.push.rules import PushRules
from core.storage.notification_counts import CountStore
from core.storage.receipts import MAIN

MAX_AUDIENCES = 20_000
"""Of so many rooms it is kept who has rules of their own there."""
MAX_NAMED = 1_000
"""So many mentioned users are looked at; an event has room for a few thousand."""

UserRow = tuple[UserNid, int, int]
"""(user, notify, highlight): differences to the common outcome, or for who counts on their own the outcome itself."""


@dataclass(slots=True)
class Audience:
    """The members of a room who are not simply on the default rules."""

    groups: dict[bytes, list[UserNid]]
    """Members by the key of their rule set."""
    own: set[UserNid]
    """Members who count by rows of their own here."""


@dataclass(slots=True)
class Step:
    """What one event does to counts. `special` has the outcome of each user for whom it is not the common one."""

    room_nid: RoomNid
    position: int
    event_nid: EventNid
    sender_nid: int
    thread: str
    common: Outcome = NOTHING
    special: dict[UserNid, Outcome] = field(default_factory=dict)
    switched: frozenset[UserNid] = frozenset()
    """Who counts by rows of their own from this event on."""
    alone: frozenset[UserNid] = frozenset()
    """Who counts by rows of their own."""
    rows: list[UserRow] = field(default_factory=list)
    marks_read: bool = False
    """Whether its sender, who is one of ours, has read the thread by sending to it."""

    @property
    def is_empty(self) -> bool:
        """Whether it changes nobody's counts."""
        return not self.common.notify and not self.special and not self.switched and not self.marks_read

    def counts_alone(self, user: UserNid) -> bool:
        """Whether the common outcome says nothing of the user."""
        return user in self.alone

    def forget(self) -> None:
        """The event was redacted."""
        self.common, self.special, self.rows = NOTHING, {}, []


class Evaluator:
    """Makes steps of events."""

    def __init__(
        self, graph: Graph, rules: PushRules, ignoring: Ignoring, store: CountStore, server_name: ServerName
    ) -> None:
        self._graph = graph
        self._rules = rules
        self._ignoring = ignoring
        self._store = store
        self._suffix = f":{server_name}"
        self._audiences: OrderedDict[RoomNid, Audience] = OrderedDict()
        self._unwritten: list[tuple[int, RoomNid, UserNid]] = []
        """(position, room, user) of those who count by rows of their own since a moment ago."""

    def is_local(self, user_id: str) -> bool:
        """Whether a user is one of ours."""
        return user_id.endswith(self._suffix) and user_id.partition(":")[2] == self._suffix[1:]

    def forget_room(self, room: RoomNid) -> None:
        """Members or their rules may have changed."""
        self._audiences.pop(room, None)

    def forget_rules(self) -> None:
        """Somebody's rules have changed."""
        self._audiences.clear()

    def wrote(self, upto: int) -> None:
        """What steps said up to a position is in the database."""
        self._unwritten = [one for one in self._unwritten if one[0] > upto]

    def step(self, stored: StoredEvent, position: int) -> Step:
        """What an event does to counts."""
        room = stored.room_nid
        step = Step(room, position, stored.nid, stored.sender_nid, thread_of(self._graph.events, stored) or MAIN)
        if self.is_local(stored.sender):
            step.marks_read = not stored.is_state and stored.type != "m.room.redaction"
        if stored.is_redacted:
            return step
        state = self._graph.states.current(room)
        situation = Situation(stored.event, self._graph.states.member_counts(room)[0], _levels(state))
        step.common = self._rules.default.evaluate(situation.for_user("", None))
        audience = self._audience(room)
        outcomes: dict[UserNid, Outcome] = {}
        by_rules: set[UserNid] = set()
        if audience.groups:
            self._evaluate_groups(situation, state, audience, outcomes)
            by_rules = {user for user, one in outcomes.items() if not _same(one, step.common)}
        self._evaluate_named(stored, situation, state, outcomes)
        ignoring = self._ignoring.of(stored.sender)
        if ignoring:
            outcomes.update((user, NOTHING) for user in self._joined(room, ignoring))
            by_rules -= ignoring
        outcomes.pop(UserNid(stored.sender_nid), None)
        if outcomes or audience.own:
            self._settle(step, audience, outcomes, by_rules - {stored.sender_nid})
        return step

    def outcome_for(self, stored: StoredEvent, user: UserNid) -> Outcome:
        """What a user's rules, as they are now, make of an event."""
        state = self._graph.states.current(stored.room_nid)
        situation = Situation(stored.event, self._graph.states.member_counts(stored.room_nid)[0], _levels(state))
        compiled = self._rules.compiled(self._rules.keys_of((user,))[user])
        return compiled.evaluate(self._for(situation, state, user))

    def _settle(self, step: Step, audience: Audience, outcomes: dict[UserNid, Outcome], by_rules: set[UserNid]) -> None:
        """Sort out who counts how."""
        step.switched = frozenset(by_rules - audience.own)
        audience.own |= step.switched
        self._unwritten += [(step.position, step.room_nid, user) for user in step.switched]
        step.alone = frozenset(audience.own)
        for user in audience.own - outcomes.keys():
            if user != step.sender_nid:
                outcomes[user] = step.common
        for user, outcome in outcomes.items():
            notify, highlight = counted(outcome)
            if user in audience.own:
                if notify:
                    step.special[user] = outcome
                    step.rows.append((user, notify, highlight))
            elif not _same(outcome, step.common):
                step.special[user] = outcome
                common = counted(step.common)
                step.rows.append((user, notify - common[0], highlight - common[1]))

    def _evaluate_groups(
        self, situation: Situation, state: RoomState, audience: Audience, outcomes: dict[UserNid, Outcome]
    ) -> None:
        for key, users in audience.groups.items():
            compiled = self._rules.compiled(key)
            if b'"contains_display_name"' in key:
                for user in users:
                    outcomes[user] = compiled.evaluate(self._for(situation, state, user))
            else:
                outcome = compiled.evaluate(situation.for_user("", None))
                outcomes.update((user, outcome) for user in users)

    def _evaluate_named(
        self, stored: StoredEvent, situation: Situation, state: RoomState, outcomes: dict[UserNid, Outcome]
    ) -> None:
        """Those whom the event names, for whom the default rules know conditions."""
        named = self._joined_named(stored)
        for user, key in self._rules.keys_of(named).items() if named else ():
            outcomes[user] = self._rules.compiled(key).evaluate(self._for(situation, state, user))

    def _joined_named(self, stored: StoredEvent) -> list[UserNid]:
        named = set()
        mentions = stored.content.get("m.mentions")
        listed = mentions.get("user_ids") if isinstance(mentions, dict) else None
        if isinstance(listed, list):
            named = {user for user in listed[:MAX_NAMED] if isinstance(user, str) and self.is_local(user)}
        if stored.state_key is not None and self.is_local(stored.state_key):
            named.add(stored.state_key)
        if not named:
            return []
        users = [UserNid(nid) for nid in self._graph.texts.known(named).values()]
        return self._joined(stored.room_nid, users, ("join", "invite") if stored.is_state else ("join",))

    def _joined(
        self, room: RoomNid, users: Collection[UserNid], memberships: Collection[str] = ("join",)
    ) -> list[UserNid]:
        found = self._graph.memberships.of_many(room, users)
        return [user for user, one in found.items() if one.membership in memberships]

    def _for(self, situation: Situation, state: RoomState, user: UserNid) -> Situation:
        user_id = self._graph.texts.text(user)
        member = state.get("m.room.member", user_id)
        name = None if member is None else member.content.get("displayname")
        return situation.for_user(user_id, name if isinstance(name, str) else None)

    def _audience(self, room: RoomNid) -> Audience:
        found = self._audiences.get(room)
        if found is None:
            groups = self._rules.groups_in(room)
            own = {user for _, where, user in self._unwritten if where == room} | set(self._store.own_counting(room))
            joined = self._joined(room, own) if own else ()
            found = self._audiences[room] = Audience(groups, set(joined))
            if len(self._audiences) > MAX_AUDIENCES:
                self._audiences.popitem(last=False)
        return found


def _levels(state: RoomState) -> PowerLevels | None:
    create = state.event("m.room.create")
    return None if create is None else PowerLevels.from_events(create, state.event("m.room.power_levels"))


def counted(outcome: Outcome) -> tuple[int, int]:
    """(notifications, highlights) that an outcome counts: what does not notify does not highlight."""
    return (int(outcome.notify), int(outcome.notify and outcome.highlight))


def _same(one: Outcome, other: Outcome) -> bool:
    return counted(one) == counted(other)
