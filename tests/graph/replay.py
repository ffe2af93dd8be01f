"""Replays a recorded room into a graph, event by event, and compares all of it with the oracle after every step."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence

from core.events.auth_rules import auth_event_keys
from core.events.build import build_event
from core.events.event import Event
from core.events.room_versions import EventFormat, RoomVersion
from core.events.signatures import SigningKey
from core.graph.appending.admission import Admission, Appended
from core.graph.graph import Graph
from core.graph.stored_event import Place
from core.ids import EventId, EventNid, RoomId, StateKey, UserId, server_of
from core.storage.state_deltas import DeltaRange
from tests.graph.oracle import Oracle, State

ALICE, BOB, CAROL, DAVE = (UserId(f"@{name}.test") for name in ("alice:a", "bob:b", "carol:c", "dave:d"))


class Recorder:
    """Writes the events of a room that other servers make, each building on the events it is told to.

    It keeps an oracle that has seen everything, to know the auth events each author would list.
    """

    def __init__(self, version: RoomVersion) -> None:
        self.version = version
        self.all = Oracle(version)
        self.nonce = secrets.token_hex(4)
        self.room_id: RoomId | None = None if version.room_id_is_create_hash else RoomId(f"!{self.nonce}:a.test")
        self._clock = 1_700_000_000_000

    def event(
        self,
        kind: str,
        sender: UserId,
        content: Mapping[str, object],
        prevs: Sequence[Event],
        state_key: str | None = None,
        redacts: EventId | None = None,
        auth: Sequence[Event] | None = None,
        is_noted: bool = True,
    ) -> Event:
        """A new event on top of `prevs`. The oracle, which may take long, is spared if auth events are given."""
        self._clock += 1000
        if auth is None:
            state = self.all._resolve([prev.event_id for prev in prevs]) if prevs else {}
            keys = auth_event_keys(self.version, kind, sender, state_key, content)
            auth = [self.all.known[state[key]] for key in keys if key in state]
        is_v1 = self.version.event_format is EventFormat.V1
        server = server_of(sender)
        event = build_event(
            self.version,
            self.room_id,
            kind,
            sender,
            content,
            prev_events=list(prevs) if is_v1 else [prev.event_id for prev in prevs],
            auth_events=list(auth) if is_v1 else [one.event_id for one in auth],
            depth=max((prev.depth for prev in prevs), default=0) + 1,
            origin_server_ts=self._clock,
            server=server,
            signing_key=SigningKey("ed25519:k", server[:1].encode() * 32),
            state_key=state_key,
            redacts=redacts,
            opaque_id=f"{self.nonce}{self._clock}" if is_v1 else None,
        )
        self.room_id = event.room_id
        if is_noted:
            self.all.add(event, Place.LIVE)
        return event

    def message(self, sender: UserId, prevs: Sequence[Event], body: str = "hello") -> Event:
        """A message."""
        return self.event("m.room.message", sender, {"body": body, "msgtype": "m.text"}, prevs)

    def member(
        self, sender: UserId, prevs: Sequence[Event], membership: str = "join", target: UserId | None = None
    ) -> Event:
        """A change of membership, of the sender's own where no target is given."""
        return self.event("m.room.member", sender, {"membership": membership}, prevs, target or sender)

    def name(self, sender: UserId, prevs: Sequence[Event], name: str) -> Event:
        """A room name."""
        return self.event("m.room.name", sender, {"name": name}, prevs, "")

    def levels(self, sender: UserId, prevs: Sequence[Event], **users: int) -> Event:
        """Power levels, by the users' names; state takes 25."""
        named = {
            user: users[user[1:].partition(":")[0]]
            for user in (ALICE, BOB, CAROL, DAVE)
            if user[1:].partition(":")[0] in users
        }
        return self.event("m.room.power_levels", sender, {"users": named, "state_default": 25}, prevs, "")

    def start(self, *joining: UserId) -> list[Event]:
        """A public room of Alice's that others have joined; Bob may set state."""
        content = {"creator": ALICE} if not self.version.implicit_creator else {}
        events = [
            self.event(
                "m.room.create", ALICE, {**content, "room_version": self.version.id, "x.nonce": self.nonce}, [], ""
            )
        ]
        events.append(self.member(ALICE, events[-1:]))
        levels = {"bob": 50} if self.version.privileged_creators else {"alice": 100, "bob": 50}
        events.append(self.levels(ALICE, events[-1:], **levels))
        events.append(self.event("m.room.join_rules", ALICE, {"join_rule": "public"}, events[-1:], ""))
        for user in joining:
            events.append(self.member(user, events[-1:]))
        return events

    def state_before(self, event: Event) -> State:
        """What another server would answer when asked for the state before an event."""
        return dict(self.all.before(event.event_id) or {})


class Replayer:
    """Feeds a graph and an oracle alike, and compares them."""

    def __init__(self, graph: Graph, version: RoomVersion, room_id: RoomId, reopen: Callable[[], Graph]) -> None:
        self.graph = graph
        self.reopen = reopen
        self.oracle = Oracle(version)
        self.room = graph.rooms.intern(room_id, version).room_nid
        self.folded: State = {}
        self.lost: set[EventId] = set()

    def feed(self, *events: Event, place: Place = Place.LIVE, state: Mapping[StateKey, EventId] | None = None) -> None:
        """Append events one by one, comparing after each. `state` is the fetched state before the first."""
        for number, event in enumerate(events):
            self.step([Admission(event, place, None, state if number == 0 else None)])

    def enter(self, event: Event, state: Mapping[StateKey, EventId], outliers: Sequence[Event]) -> None:
        """Join through another server: its state as outliers, then the join."""
        self.step([Admission(one, Place.OUTLIER) for one in outliers])
        self.step([Admission(event, Place.LIVE, None, state)], is_entrance=True)

    def step(self, admissions: Sequence[Admission], is_entrance: bool = False) -> Appended:
        """One append, and the comparison."""
        for admission in admissions:
            one = admission.event.event_id
            is_news = admission.place is not Place.OUTLIER or one not in self.oracle.known
            if is_news and not self.has_place(one):
                if admission.place is not Place.OUTLIER:
                    self.lost.discard(one)
                self.oracle._before.pop(one, None)
                self.oracle.add(admission.event, admission.place, admission.state, is_entrance, admission.verdict)
        appended = self.graph.write.append(self.room, admissions, is_entrance)
        if appended.state_delta is not None:
            self.fold(appended.state_delta)
        self.compare(self.graph)
        return appended

    def fold(self, delta: DeltaRange) -> None:
        """Let a state delta happen to what a follower of deltas would have."""
        for key, old, new in self.graph.states.changes(delta):
            assert self.folded.get(key) == (old and self.id_of(old)), f"{key} did not hold what the delta says it did"
            if new is None:
                del self.folded[key]
            else:
                self.folded[key] = self.id_of(new)

    def compare(self, graph: Graph, only: Sequence[EventId] | None = None) -> None:
        """Verdicts, the state before every event, the current state, the fold of all deltas, memberships."""
        current = self.ids(graph.states.current(self.room).nids())
        assert current == self.oracle.current()
        assert self.folded == current
        for one in self.oracle.known if only is None else only:
            stored = graph.events.by_id(one)
            if one in self.lost:
                assert stored is None or stored.is_outlier
                continue
            assert stored is not None, f"{one} is not there"
            verdict = self.oracle.verdict[one].value
            assert (stored.is_rejected, stored.is_soft_failed) == (verdict == "rejected", verdict == "soft-failed")
            before = self.oracle.before(one)
            if before is None:
                assert stored.before is None
            else:
                assert self.ids(graph.states.before(stored.nid).nids()) == before, f"the state before {stored.type}"
        joined = {
            key for (kind, key), one in current.items() if kind == "m.room.member" and self.membership(one) == "join"
        }
        members = graph.memberships.members(self.room)
        assert graph.states.member_counts(self.room)[0] == len(members)
        assert {graph.texts.text(member.user_nid) for member in members} == joined
        servers = {graph.texts.text(server) for server in graph.servers.now_in(self.room)}
        assert servers == {server_of(user) for user in joined}

    def lose(self, gone: Sequence[EventId]) -> None:
        """The graph has purged these events: what remains keeps its state, and the rest has none."""
        remaining = [one for one in self.oracle.known if self.has_place(one) and one not in gone]
        for one in remaining:
            before = self.oracle.before(one)
            if before is not None:
                self.oracle.fetched[one] = before
        for one in gone:
            self.oracle.place[one] = Place.OUTLIER
            self.oracle._before.pop(one, None)
            self.oracle.fetched.pop(one, None)
        self.lost |= set(gone)

    def has_place(self, one: EventId) -> bool:
        """Whether an event has its place still."""
        return self.oracle.place.get(one, Place.OUTLIER) is not Place.OUTLIER

    def compare_cold(self) -> None:
        """The same, with nothing in memory."""
        self.compare(self.reopen())

    def ids(self, nids: Mapping[tuple[int, int], EventNid]) -> State:
        """A state by names."""
        stored = self.graph.events.by_nids(nids.values())
        return {(stored[nid].type, stored[nid].state_key or ""): stored[nid].event_id for nid in nids.values()}

    def id_of(self, nid: EventNid) -> EventId:
        """An event's id."""
        return self.graph.events.by_nid(nid).event_id

    def membership(self, one: EventId) -> object:
        """What a member event says."""
        return self.oracle.known[one].content.get("membership")
